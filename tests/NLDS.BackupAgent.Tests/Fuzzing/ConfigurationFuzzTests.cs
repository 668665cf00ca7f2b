using System.Text;
using NLDS.BackupAgent.Configuration;
using NLDS.BackupAgent.Output;
using NLDS.BackupAgent.Schedules;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Fuzzing;
using NLDS.BackupAgent.Tests.Fakes;
using Quartz;

namespace NLDS.BackupAgent.Tests.Fuzzing;

/// <summary>Settings files as people and programs write them: read, or refused with faults that name the key and never show a secret.</summary>
public sealed class ConfigurationFuzzTests : IDisposable
{
    private const string Secret = "hunter2-hunter2-hunter2";

    private static readonly DateTimeOffset Now = new(2026, 11, 23, 2, 0, 0, TimeSpan.Zero);

    private readonly AgentUnderTest agent = new();

    private static string Sample => $$"""
        {
          "Storage": { "Provider": "Directory", "Directory": { "Path": "/nowhere" }, "S3": { "Bucket": "b", "PartSizeBytes": 8388608, "ForcePathStyle": true } },
          "Repository": { "Compression": "zstd", "CompressionLevel": 3 },
          "Postgres": { "Host": "db", "Port": 5432, "Password": "{{Secret}}", "FullBackup": { "Schedule": "0 0 2 * * ?", "TimeZone": "UTC" }, "Wal": { "FlushInterval": "00:00:05", "FlushBytes": 1048576 }, "Retention": { "KeepDaily": 30 } },
          "Redis": { "Host": "cache", "Password": "{{Secret}}", "Stream": { "BaseRatio": 4 } },
          "Kubernetes": { "Namespace": "nlds", "Include": ["configmaps"] },
          "ApplicationData": { "DataSets": { "orders": { "Query": "SELECT 1", "Table": "t", "Columns": ["a"] } } },
          "Retention": { "KeepWithin": "7.00:00:00" },
          "Recovery": { "Workloads": ["deployments/a"], "Checks": { "Questions": [{ "Name": "n", "Question": "SELECT 1", "AtLeast": 1 }], "Urls": ["https://a.example/"] } },
          "Drill": { "Checks": [{ "Name": "n", "Question": "SELECT 1" }] }
        }
        """;

    public void Dispose() => agent.Dispose();

    [Fact]
    public void Files_are_read_or_all_their_faults_are_told()
    {
        var sample = Encoding.UTF8.GetString(File.ReadAllBytes(Path.Combine(Checkout.Root, "appsettings.json")));
        var bytes = new ByteMutator([Encoding.UTF8.GetBytes(Sample), Encoding.UTF8.GetBytes(sample)], [.. new[] { "[", "{\"a\":", "\"Postgres\": ", "null", "\"00:00:05\"", "\"\\ud800\"", "//", "\"0 0 0 1 1 ? 2100\"" }.Select(Encoding.UTF8.GetBytes)]);
        var json = new JsonMutator([Sample]);
        var path = Path.Combine(agent.Working, "fuzzed.json");
        new Fuzzer(
            "a settings file",
            random => random.Next(2) == 0 ? json.Next(random) : bytes.Next(random),
            input =>
            {
                File.WriteAllBytes(path, input.Bytes);
                var scrubber = new SecretScrubber();
                try
                {
                    AgentConfiguration.Load(agent.Surroundings, path, Program.House(), scrubber).Schedules().Count.ShouldBeGreaterThanOrEqualTo(0);
                }
                catch (ConfigurationFaultsException faults)
                {
                    faults.Faults.ShouldNotBeEmpty();
                    faults.Faults.Select(fault => scrubber.Scrub(fault.ToString())).ShouldAllBe(said => !said.Contains(Secret, StringComparison.Ordinal));
                }
            },
            _ => false) { BaseBytes = 64 << 20, BytesPerByte = 20_000 }.Run(600);
    }

    [Fact]
    public void Schedules_are_refused_or_say_when_they_are_due()
    {
        string[] samples = ["0 0 2 * * ?", "0 0/15 * * * ?", "0 0 0 ? * 2#1", "0 0 0 L * ?", "0 0 0 29 2 ?", "0 0 0 31 2 ?", "59 59 23 31 12 ? 2099", "0 0 0 LW * ?", "0 0 0 ? * MON-FRI"];
        var mutator = new ByteMutator([.. samples.Select(Encoding.ASCII.GetBytes)], [.. new[] { "*", "/", "-", ",", "L", "W", "#", "?", "0", " ", "2147483647", "MON" }.Select(Encoding.ASCII.GetBytes)]);
        new Fuzzer(
            "a schedule",
            random => mutator.Next(random) is var text && text.Length > 200 ? text[..200] : text,
            input => new JobSchedule("postgres", "postgres-full", JobKind.Backup, new CronExpression(input.Text, TimeZoneInfo.Utc)).ExpectedInterval(Now),
            refusal => refusal is FormatException) { BaseBytes = 64 << 20 }.Run(400);
    }
}
