/// How a table is made that is not there.
package struct TableSettings: Sendable, Equatable {
    /// What rows of one partition have in common, in place of the measure name.
    package struct PartitionKey: Sendable, Equatable {
        package var dimension: String
        /// Whether records without the dimension are refused.
        package var isRequired: Bool

        package init(dimension: String, isRequired: Bool) {
            self.dimension = dimension
            self.isRequired = isRequired
        }
    }
    /// 1 to 8766.
    package var memoryStoreHours: Int
    /// 1 to 73,000.
    package var magneticStoreDays: Int
    /// Whether records older than what the memory store keeps are taken.
    package var magneticStoreWrites: Bool
    /// `nil`: the measure name. It cannot be changed later.
    package var partitionKey: PartitionKey?

    package init(
        memoryStoreHours: Int,
        magneticStoreDays: Int,
        magneticStoreWrites: Bool,
        partitionKey: PartitionKey?
    ) {
        self.memoryStoreHours = memoryStoreHours
        self.magneticStoreDays = magneticStoreDays
        self.magneticStoreWrites = magneticStoreWrites
        self.partitionKey = partitionKey
    }
}

/// What `DescribeTable` tells; absent is what the service did not say.
package struct TableDescription: Sendable, Equatable {
    /// `ACTIVE`, `DELETING` or `RESTORING`.
    package var status: String?
    package var memoryStoreHours: Int?
    package var magneticStoreDays: Int?
    package var magneticStoreWrites: Bool?
    /// A dimension; `nil` if it is the measure name.
    package var partitionDimension: String?
}
