import Common
package import TenantAccess
import TenantConfiguration
package import TimestreamModel
import Translator

/// How a tenant's table is reached.
package enum TenantStores: Sendable {
    /// With the tenant's own credentials.
    case own(any TimestreamStore)
    /// With what each caller shows: a store is made for each pair of keys.
    case ofCallers(@Sendable (CallerKeys) -> any TimestreamStore)
}

/// A table reached with one set of credentials, and what is known about it that way.
final class TenantTable: Sendable {
    /// Whether they are a caller's own, and a refusal of them its own affair.
    let isCallers: Bool
    let store: any TimestreamStore
    let dimensions: TableDimensions
    let writer: RecordWriter
    let reader: TableReader
    let writeOptions: WriteOptions

    init(settings: TenantSettings, store: any TimestreamStore, isCallers: Bool) {
        self.isCallers = isCallers
        let table = TableName(database: settings.database, table: settings.table)
        self.store = store
        self.dimensions = TableDimensions(
            table: table,
            maximum: settings.mapping.maxDimensions,
            allowed: settings.mapping.dimensions
        )
        self.writer = RecordWriter(store: store, dimensions: self.dimensions)
        self.reader = TableReader(table: table, concurrentQueries: settings.limits.concurrentReads)
        var options = WriteOptions(
            table: table,
            dropsSpecialValues: settings.mapping.specialValues == .drop,
            dropsLongNames: settings.mapping.longNames == .drop,
            maxLabelsPerSeries: settings.limits.maxLabelsPerSeries,
            refusesSpecialValues: settings.mapping.specialValues == .refuse,
            escapesColons: settings.mapping.colons == .escape,
            dimensions: self.dimensions
        )
        options.guards = SeriesGuards(settings.limits.cardinality)
        self.writeOptions = options
    }
}

/// One tenant's table for each set of credentials it is reached with.
///
/// Callers with keys of their own share nothing: what one learns about the table, and what one's keys are refused, says
/// nothing about another's. An entry is found by id and secret together: knowing an id gives no use of its key.
final class TenantTables: Sendable {
    /// Callers of a tenant that are remembered. One that is not begins anew, which costs it a look at the table.
    static let maximumCallers = 256

    private let settings: TenantSettings
    private let own: TenantTable?
    private let makeStore: (@Sendable (CallerKeys) -> any TimestreamStore)?
    private let callers = Locked(BoundedCache<CallerKeys, TenantTable>(capacity: maximumCallers))

    init(settings: TenantSettings, stores: TenantStores) {
        self.settings = settings
        switch stores {
        case .own(let store):
            self.own = TenantTable(settings: settings, store: store, isCallers: false)
            self.makeStore = nil
        case .ofCallers(let makeStore):
            self.own = nil
            self.makeStore = makeStore
        }
    }

    func table(of keys: CallerKeys?) -> TenantTable {
        if let own { return own }
        guard let keys, let makeStore else {
            preconditionFailure("no caller is proven without keys where the tenant has none")
        }
        return self.callers.withLock { callers in
            if let known = callers.value(of: keys) { return known }
            let table = TenantTable(settings: self.settings, store: makeStore(keys), isCallers: true)
            callers.insert(table, for: keys)
            return table
        }
    }

    /// How many callers are remembered; for tests of the bound.
    var callerCount: Int { self.callers.withLock { $0.count } }
}
