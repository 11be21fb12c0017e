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
        let onlyForAWS = [
            "write_endpoint", "query_endpoint", "ca_bundle", "proxy", "sts_endpoint", "metadata_endpoint", "dual_stack",
            "fips",
        ].map { reader.field($0) }
        self.settings = TimestreamSettings(
            backend: backend == .aws ? .aws : .local(engine),
            region: region?.region(),
            writeEndpoint: onlyForAWS[0]?.endpoint(),
            queryEndpoint: onlyForAWS[1]?.endpoint(),
            caBundlePath: onlyForAWS[2]?.pemFile(.certificates)?.path,
            proxy: onlyForAWS[3]?.proxy(),
            stsEndpoint: onlyForAWS[4]?.endpoint(carrying: "credentials", such: "https://sts.eu-west-1.amazonaws.com"),
            metadataEndpoint: onlyForAWS[5]?.metadataEndpoint(),
            isDualStack: onlyForAWS[6]?.boolean() ?? false,
            isFIPS: onlyForAWS[7]?.boolean() ?? false
        )
        reader.finish()

        switch backend {
        case .aws:
            local?.report("only used with backend: local", remedy: "remove it, or write backend: local")
            if onlyForAWS[0] != nil, onlyForAWS[1] != nil {
                for field in onlyForAWS[6...] {
                    field?.report(
                        "chooses the hosts that are asked for endpoints, but both endpoints are given",
                        remedy: "remove it, or write_endpoint and query_endpoint"
                    )
                }
            }
        case .local:
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
