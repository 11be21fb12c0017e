/// Remote write requests as a Prometheus that scrapes node exporters sends them, made by code.
///
/// Four targets with seven target labels each; metrics with up to three labels of their own; one sample a series, one
/// timestamp a scrape. About 10 labels and 196 bytes of label text a series.
struct ScrapeWorkload {
    let samples: Int

    /// The protobuf message, before snappy.
    func message() -> [UInt8] {
        var request: [UInt8] = []
        for index in 0..<self.samples {
            let target = index * 4 / max(self.samples, 1)
            let series = Self.series(target: target, number: index % 500, scrape: index / 2_000)
            Self.appendMessage(1, series, to: &request)
        }
        return request
    }

    private static func series(target: Int, number: Int, scrape: Int) -> [UInt8] {
        var labels: [(String, String)] = [
            ("cluster", "production-eu-west-1"), ("environment", "production"), ("instance", "10.20.\(target).17:9100"),
            ("job", "node-exporter"), ("namespace", "monitoring"), ("node", "ip-10-20-\(target)-17.eu-west-1.internal"),
            ("region", "eu-west-1"),
        ]
        // As an exporter's page has them: family after family.
        switch number {
        case 0..<256:
            labels.append(("__name__", "node_cpu_seconds_total"))
            labels.append(("cpu", "\(number / 8)"))
            let modes = ["idle", "user", "system", "iowait", "irq", "softirq", "steal", "nice"]
            labels.append(("mode", modes[number % 8]))
        case 256..<320:
            labels.append(("__name__", "node_network_receive_bytes_total"))
            labels.append(("device", "eth\(number - 256)"))
        case 320..<400:
            labels.append(("__name__", "node_filesystem_avail_bytes"))
            labels.append(("device", "/dev/nvme\(number - 320)n1"))
            labels.append(("fstype", "ext4"))
            labels.append(("mountpoint", "/var/lib/kubelet/volumes/\(number)"))
        default:
            labels.append(("__name__", "node_memory_metric_\(number)_bytes"))
        }
        labels.sort { $0.0 < $1.0 }
        var series: [UInt8] = []
        for (name, value) in labels {
            var label: [UInt8] = []
            Self.appendMessage(1, Array(name.utf8), to: &label)
            Self.appendMessage(2, Array(value.utf8), to: &label)
            Self.appendMessage(1, label, to: &series)
        }
        // Half of the values are counters, half have a fraction.
        let value = number % 2 == 0 ? Double(number * 7_919) : Double(number) * 1_234.567_89 + Double(target) / 7
        var sample: [UInt8] = [0x09]
        for shift in 0..<8 { sample.append(UInt8(truncatingIfNeeded: value.bitPattern >> UInt64(shift * 8))) }
        sample.append(0x10)
        Self.appendVarint(UInt64(1_700_000_000_000 + scrape * 15_000), to: &sample)
        Self.appendMessage(2, sample, to: &series)
        return series
    }

    private static func appendMessage(_ number: UInt64, _ bytes: [UInt8], to output: inout [UInt8]) {
        self.appendVarint(number << 3 | 2, to: &output)
        self.appendVarint(UInt64(bytes.count), to: &output)
        output += bytes
    }

    private static func appendVarint(_ value: UInt64, to output: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            output.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        output.append(UInt8(rest))
    }
}
