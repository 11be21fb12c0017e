import Glibc

/// Who may read a file.
struct FileReaders: Equatable {
    /// The permission bits.
    var mode: mode_t
    var owner: uid_t
    var group: gid_t

    /// More readers than a secret needs.
    enum Excess { case everybody, group }

    /// Who runs the gateway.
    struct Identity {
        var user: uid_t
        var groups: Set<gid_t>

        static var current: Identity {
            var groups: [gid_t] = []
            let count = getgroups(0, nil)
            if count > 0 {
                groups = Array(repeating: 0, count: Int(count))
                groups = Array(groups.prefix(Int(max(0, unsafe getgroups(count, &groups)))))
            }
            return Identity(user: geteuid(), groups: Set(groups + [getegid()]))
        }
    }

    /// Who beside the gateway may read the file, though it need not be so; nil: nobody.
    ///
    /// Everybody is always too much. A group is not if it is how the gateway itself reads the file: root, or whoever puts
    /// secrets there, owns it and gives it to the gateway's group with 0640. Kubernetes does that with `fsGroup` and
    /// modes of 0640 or 0440, and packages of secrets do; who is warned of what has to be so stops reading warnings. A
    /// file that the gateway's user owns needs no group, though.
    func excess(for identity: Identity) -> Excess? {
        if self.mode & S_IROTH != 0 { return .everybody }
        guard self.mode & S_IRGRP != 0, self.owner != 0 else { return nil }
        let isByGroup = self.owner != identity.user && identity.groups.contains(self.group)
        return isByGroup ? nil : .group
    }

    /// `0640`.
    var modeText: String {
        let digits = String(self.mode, radix: 8)
        return String(repeating: "0", count: max(0, 4 - digits.utf8.count)) + digits
    }
}

extension FileReaders {
    init(_ status: stat) {
        self.init(mode: status.st_mode & 0o7777, owner: status.st_uid, group: status.st_gid)
    }
}
