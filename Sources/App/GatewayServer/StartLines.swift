import Common
import Logging
import TenantConfiguration

extension GatewayConfiguration {
    /// Says for each tenant where its samples go.
    func logConnections(to logger: Logger) {
        for tenant in self.tenants { tenant.logConnection(to: logger, isConnector: self.isConnector) }
        if self.isConnector {
            logger.info("The Prometheus Connector is now ready to begin serving ingestion and query requests.")
        }
    }
}

extension TenantSettings {
    /// Says where the tenant's samples go, in the words that alarms and start-up checks of AWS' connector look for.
    func logConnection(to logger: Logger, isConnector: Bool) {
        let place = "(Database: \(self.database), Table: \(self.table), Region: \(self.region))"
        guard !isConnector else {
            logger.info("Timestream connection is initialized \(place)")
            return
        }
        let metadata: Logger.Metadata = [LogKey.tenant: .string(self.id)]
        logger.info("Timestream write connection is initialized \(place)", metadata: metadata)
        logger.info("Timestream query connection is initialized \(place)", metadata: metadata)
    }
}
