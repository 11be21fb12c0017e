/// What a Prometheus that scrapes node exporters sends, made by code.
///
/// Four targets with seven target labels each; metrics with up to three labels of their own; one sample a series, one
/// timestamp a scrape, 2,000 series a scrape at most. About 10 labels and 209 bytes of label text a series.
struct ScrapeWorkload {
    let samples: Int

    var series: [Series] {
        let scrapeSize = min(self.samples, 2_000)
        return (0..<self.samples).map { index in
            let place = index % scrapeSize
            return Self.series(target: place * 4 / scrapeSize, number: place % 500, scrape: index / scrapeSize)
        }
    }

    private static func series(target: Int, number: Int, scrape: Int) -> Series {
        var labels = Self.targetLabels(target)
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
        // Half of the values are counters, half have a fraction.
        let value = number % 2 == 0 ? Double(number * 7_919) : Double(number) * 1_234.567_89 + Double(target) / 7
        return Series(labels, [(1_700_000_000_000 + Int64(scrape) * 15_000, value)])
    }

    private static func targetLabels(_ target: Int) -> [(name: String, value: String)] {
        [
            ("cluster", "production-eu-west-1"), ("environment", "production"), ("instance", "10.20.\(target).17:9100"),
            ("job", "node-exporter"), ("namespace", "monitoring"), ("node", "ip-10-20-\(target)-17.eu-west-1.internal"),
            ("region", "eu-west-1"),
        ]
    }
}

/// Series to read back: one metric of many series with as many samples each, 15 s apart, the last of them now.
struct HistoryWorkload {
    static let metric = "bench_requests_total"
    let seriesCount: Int
    let samplesPerSeries: Int
    let endMilliseconds: Int64

    var startMilliseconds: Int64 { self.endMilliseconds - Int64(self.samplesPerSeries) * 15_000 }

    func series(_ number: Int) -> Series {
        let labels = [
            (name: "__name__", value: Self.metric), ("cluster", "production-eu-west-1"),
            ("code", "\(200 + number % 8)"),
            ("instance", "10.20.\(number / 256).\(number % 256):8080"), ("job", "checkout"), ("method", "GET"),
        ]
        let samples = (1...self.samplesPerSeries).map { index in
            (
                milliseconds: self.startMilliseconds + Int64(index) * 15_000,
                value: Double(number + index * (7 + number % 5))
            )
        }
        return Series(labels, samples)
    }
}
