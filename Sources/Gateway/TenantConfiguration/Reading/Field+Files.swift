import Common

extension Field {
    /// What a PEM file has to hold.
    enum PEMKind: String {
        case certificates = "a certificate"
        case privateKey = "a private key"
        case revocationList = "a certificate revocation list"
    }

    /// The absolute path that the value names, whatever is there.
    func path(of what: String) -> String? {
        self.text("the path of \(what)", remedy: "write a path relative to this file's folder, or an absolute one")
            .map { FilePath.absolute($0, from: self.context.folder) }
    }

    /// A PEM file that can be read and holds what it should.
    func pemFile(_ kind: PEMKind) -> PEMFile? {
        guard let path = self.path(of: "a PEM file with \(kind.rawValue)") else { return nil }
        let key = "\(kind.rawValue) \(path)"
        let content: Result<PEMFile.Content, PEMFault>
        if let known = self.context.pemContents[key] {
            content = known
        } else {
            let limit = FileContents.largestPEMBytes
            guard var file = self.contents(of: path, limitBytes: limit, isSecret: kind == .privateKey) else {
                return nil
            }
            defer { if kind == .privateKey { file.bytes.overwrite() } }
            if kind == .privateKey { self.warnOfReaders(of: file, at: path, "private key") }
            content = Result { () throws(PEMFault) in
                switch kind {
                case .certificates: .certificates(try PEMCertificates(file.bytes))
                case .privateKey: .privateKey(try PEMPrivateKey(file.bytes))
                case .revocationList: try PEMFile.revocationList(file.bytes)
                }
            }
            self.context.pemContents[key] = content
        }
        switch content {
        case .success(let content):
            return PEMFile(path: path, content: content)
        case .failure(let fault):
            self.report(fault.message, remedy: fault.remedy ?? "give a PEM file that holds \(kind.rawValue)")
            return nil
        }
    }

    /// The one line of a file, without the line break at its end.
    func secretFile(_ what: String) -> Secret? {
        guard let path = self.path(of: "a file with \(what)"),
            var file = self.contents(of: path, limitBytes: FileContents.largestSecretBytes, isSecret: true)
        else { return nil }
        defer { file.bytes.overwrite() }
        self.warnOfReaders(of: file, at: path, "secret file")
        let isLineBreak = { (byte: UInt8) in byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") }
        let end = file.bytes.lastIndex { !isLineBreak($0) }.map { $0 + 1 } ?? 0
        guard end > 0 else {
            self.report("the file is empty", remedy: "write \(what) into it, on one line")
            return nil
        }
        let isText = file.bytes[..<end].allSatisfy { $0 >= 0x20 && $0 != 0x7F }
        guard isText, (try? UTF8Span(validating: file.bytes.span.extracting(..<end))) != nil else {
            self.report("the file holds more than one line of text", remedy: "write \(what) into it, and nothing else")
            return nil
        }
        return Secret(bytes: file.bytes[..<end])
    }

    private func contents(of path: String, limitBytes: Int, isSecret: Bool) -> FileContents? {
        do {
            return try self.context.read(path, limitBytes: limitBytes, isSecret: isSecret)
        } catch {
            // With a variable in it, the path is not repeated: it may be a secret put in the wrong place.
            let remedy =
                self.isExpanded
                ? "paths are relative to this file's folder"
                : "paths are relative to this file's folder: looked for \(path)"
            self.report(error.message, remedy: remedy)
            return nil
        }
    }

    /// Once for each file, however many tenants name it.
    private func warnOfReaders(of file: FileContents, at path: String, _ what: String) {
        guard let excess = file.readers.excess(for: .current), self.context.isFirstWarning(of: path) else { return }
        let (who, remedy) =
            switch excess {
            case .everybody:
                ("everybody on this machine", "; in a container mount it with mode 0400, or 0440 and a group")
            case .group: ("everybody in its group", ", or chown it to root if the group is there for the gateway alone")
            }
        // With a variable in it, the path is not repeated.
        let name = self.isExpanded ? "the file" : path
        self.context.warn(
            self.place,
            "the \(what) can be read by \(who): its mode is \(file.readers.modeText)",
            remedy: "chmod 0600 \(name)\(remedy)"
        )
    }

    private var isExpanded: Bool {
        if case .scalar(let scalar) = self.node.content { scalar.text.contains("${") } else { false }
    }
}
