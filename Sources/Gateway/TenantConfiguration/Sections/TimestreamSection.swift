/// `timestream`: the store behind all tenants.
struct TimestreamSection {
    var settings: TimestreamSettings
    var place: Place
    var localListenPlace: Place

    private enum BackendName: String, CaseIterable { case aws, local }

    init(_ reader: consuming MappingReader) {
        self.place = reader.place
        self.localListenPlace = reader.place
        let context = reader.context
        let backend = reader.required(
            "backend",
            remedy: "write backend: aws, or backend: local for the embedded engine"
        )?
        .choice(BackendName.self)
        let local = reader.field("local")
        var localReader = local?.mapping() ?? MappingReader(nil, at: reader.place, in: context)
        let engine = Self.engine(&localReader, &self.localListenPlace, context)
        localReader.finish()

        let region = reader.field("region")
        let writeEndpoint = reader.field("write_endpoint")
        let queryEndpoint = reader.field("query_endpoint")
        let caBundle = reader.field("ca_bundle")
        let proxy = reader.field("proxy")
        let stsEndpoint = reader.field("sts_endpoint")
        let metadataEndpoint = reader.field("metadata_endpoint")
        // Of the hosts that are asked for endpoints.
        let dualStack = reader.field("dual_stack")
        let fips = reader.field("fips")
        self.settings = TimestreamSettings(
            backend: backend == .aws ? .aws : .local(engine),
            region: region?.region(),
            writeEndpoint: writeEndpoint?.endpoint(),
            queryEndpoint: queryEndpoint?.endpoint(),
            caBundlePath: caBundle?.pemFile(.certificates)?.path,
            proxy: proxy?.proxy(),
            stsEndpoint: stsEndpoint?.endpoint(carrying: "credentials", such: "https://sts.eu-west-1.amazonaws.com"),
            metadataEndpoint: metadataEndpoint?.metadataEndpoint(),
            isDualStack: dualStack?.boolean() ?? false,
            isFIPS: fips?.boolean() ?? false
        )
        reader.finish()

        switch backend {
        case .aws:
            local?.report("only used with backend: local", remedy: "remove it, or write backend: local")
            if writeEndpoint != nil, queryEndpoint != nil {
                for field in [dualStack, fips] {
                    field?.report(
                        "chooses the hosts that are asked for endpoints, but both endpoints are given",
                        remedy: "remove it, or write_endpoint and query_endpoint"
                    )
                }
            }
        case .local:
            let onlyForAWS = [
                writeEndpoint, queryEndpoint, caBundle, proxy, stsEndpoint, metadataEndpoint, dualStack, fips,
            ]
            for field in onlyForAWS {
                field?.report("only used with backend: aws", remedy: "remove it, or write backend: aws")
            }
        case nil: break
        }
    }

    private static func engine(
        _ reader: inout MappingReader,
        _ listenPlace: inout Place,
        _ context: LoadContext
    ) -> LocalEngineSettings {
        let directory = reader.field("directory")
        var path = FilePath.absolute("var/timestream", from: context.folder)
        if let named = directory?.path(of: "a folder for the data") { path = named }
        if FileContents.isOtherThanFolder(path) {
            context.report(
                directory?.place ?? reader.place,
                "a file stands where the data's folder should be",
                remedy: "name a folder; it is made if it does not exist"
            )
        }
        let listen = reader.field("listen")
        listenPlace = listen?.place ?? reader.place
        return LocalEngineSettings(
            directory: path,
            listen: listen?.listenAddress() ?? ListenAddress(host: "127.0.0.1", port: 9203)
        )
    }
}

extension Field {
    /// An AWS region. It becomes part of host names, so nothing else may stand in it.
    func region() -> String? {
        self.text("an AWS region", remedy: "write it as AWS does, such as eu-west-1") { text in
            let bytes = text.utf8
            return (2...32).contains(bytes.count) && bytes.contains(UInt8(ascii: "-"))
                && bytes.first.map(ASCII.isLowercaseLetter) == true && bytes.last != UInt8(ascii: "-")
                && bytes.allSatisfy { ASCII.isLowercaseLetter($0) || ASCII.isDigit($0) || $0 == UInt8(ascii: "-") }
        }
    }
}
