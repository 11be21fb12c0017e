import Common
import Logging
import TenantConfiguration
import TimestreamModel
import TimestreamService

extension TenantSettings {
    /// A store that makes the tenant's table if it is missing; `nil` if the tenant does not want that.
    func storeThatMakesTable(
        _ client: TimestreamServiceClient,
        metrics: MetricRegistry,
        logger: Logger
    ) -> (any TimestreamStore)? {
        guard let wanted = self.createMissing else { return nil }
        return TableCreatingStore(
            client: client,
            table: TableName(database: self.database, table: self.table),
            settings: TableSettings(
                memoryStoreHours: wanted.memoryStoreHours,
                magneticStoreDays: wanted.magneticStoreDays,
                magneticStoreWrites: wanted.magneticStoreWrites,
                partitionKey: wanted.partitionKey.map { .init(dimension: $0.dimension, isRequired: $0.isRequired) }
            ),
            metrics: metrics,
            logger: logger
        )
    }
}
