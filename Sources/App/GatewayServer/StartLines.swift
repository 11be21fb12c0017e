import Common
import Logging
import TenantConfiguration

extension GatewayConfiguration {
    /// Says for each tenant where its samples go, in the words that alarms and start-up checks of AWS' connector look for.
    func logConnections(to logger: Logger) {
        for tenant in self.tenants {
            let place = "(Database: \(tenant.database), Table: \(tenant.table), Region: \(tenant.region))"
            if self.isConnector {
                logger.info("Timestream connection is initialized \(place)")
            } else {
                let metadata: Logger.Metadata = [LogKey.tenant: .string(tenant.id)]
                logger.info("Timestream write connection is initialized \(place)", metadata: metadata)
                logger.info("Timestream query connection is initialized \(place)", metadata: metadata)
            }
        }
        if self.isConnector {
            logger.info("The Prometheus Connector is now ready to begin serving ingestion and query requests.")
        }
    }
}
