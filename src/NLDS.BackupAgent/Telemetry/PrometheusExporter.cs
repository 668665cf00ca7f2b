using System.Globalization;
using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace NLDS.BackupAgent.Telemetry;

/// <summary>Writes what the meters hold when somebody asks.</summary>
[ExportModes(ExportModes.Pull)]
internal sealed class PrometheusExporter : BaseExporter<Metric>, IPullMetricExporter
{
    private readonly Lock gate = new();
    private string text = "";

    /// <summary>Set by the reader; asking it calls <see cref="Export"/>.</summary>
    public Func<int, bool>? Collect { get; set; }

    public string Read()
    {
        lock (gate)
        {
            Collect!(Timeout.Infinite);
            return text;
        }
    }

    public override ExportResult Export(in Batch<Metric> batch)
    {
        var metrics = new List<Metric>();
        foreach (var metric in batch)
        {
            metrics.Add(metric);
        }

        var output = new PrometheusText();
        foreach (var metric in metrics.OrderBy(metric => metric.Name, StringComparer.Ordinal))
        {
            Write(metric, output);
        }

        text = output.ToString();
        return ExportResult.Success;
    }

    private static void Write(Metric metric, PrometheusText output)
    {
        var name = PrometheusText.Name(metric.Name);
        var type = metric.MetricType switch
        {
            MetricType.LongSum or MetricType.DoubleSum => "counter",
            MetricType.Histogram => "histogram",
            _ => "gauge",
        };
        output.Family(name, type, metric.Description);
        foreach (ref readonly var point in metric.GetMetricPoints())
        {
            var labels = Labels(point);
            switch (metric.MetricType)
            {
                case MetricType.LongSum or MetricType.LongSumNonMonotonic:
                    output.Sample(name, labels, point.GetSumLong());
                    break;
                case MetricType.DoubleSum or MetricType.DoubleSumNonMonotonic:
                    output.Sample(name, labels, point.GetSumDouble());
                    break;
                case MetricType.LongGauge:
                    output.Sample(name, labels, point.GetGaugeLastValueLong());
                    break;
                case MetricType.DoubleGauge:
                    output.Sample(name, labels, point.GetGaugeLastValueDouble());
                    break;
                case MetricType.Histogram:
                    WriteHistogram(name, labels, point, output);
                    break;
            }
        }
    }

    private static void WriteHistogram(string name, List<KeyValuePair<string, string>> labels, in MetricPoint point, PrometheusText output)
    {
        long below = 0;
        foreach (var bucket in point.GetHistogramBuckets())
        {
            below += bucket.BucketCount;
            output.Sample(name + "_bucket", [.. labels, KeyValuePair.Create("le", PrometheusText.Number(bucket.ExplicitBound))], below);
        }

        output.Sample(name + "_sum", labels, point.GetHistogramSum());
        output.Sample(name + "_count", labels, point.GetHistogramCount());
    }

    private static List<KeyValuePair<string, string>> Labels(in MetricPoint point)
    {
        var labels = new List<KeyValuePair<string, string>>();
        foreach (var tag in point.Tags)
        {
            labels.Add(KeyValuePair.Create(tag.Key, Convert.ToString(tag.Value, CultureInfo.InvariantCulture) ?? ""));
        }

        return labels;
    }
}
