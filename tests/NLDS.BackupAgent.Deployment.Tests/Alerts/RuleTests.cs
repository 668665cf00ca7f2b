using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Deployment.Tests.Alerts;

/// <summary>The shipped rules, checked and simulated by Prometheus's own tool in real durations: each fires, is silent, meets absent series, a restart, a recovery.</summary>
public sealed partial class RuleTests : IDisposable
{
    private static readonly string Simulations = Path.Combine(Checkout.Root, "tests/NLDS.BackupAgent.Deployment.Tests/Alerts");

    private readonly TemporaryDirectory directory = new();

    public RuleTests() => File.WriteAllText(directory["rules.yml"], ShippedRules.Plain());

    public static TheoryData<string> Files => [.. Directory.GetFiles(Simulations, "*.yaml").Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)];

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task Prometheus_takes_the_rules() =>
        (await ServerProcess.RunAsync("promtool", ["check", "rules", "--lint-fatal", directory["rules.yml"]], TestContext.Current.CancellationToken)).ShouldContain("SUCCESS");

    [Theory]
    [MemberData(nameof(Files))]
    public async Task In_simulated_time_the_alerts_do_as_their_file_says(string file)
    {
        File.Copy(Path.Combine(Simulations, file), directory[file]);

        await ServerProcess.RunAsync("promtool", ["test", "rules", directory[file]], TestContext.Current.CancellationToken);
    }

    [Fact]
    public void The_strategys_two_rules_stand_there_letter_for_letter() => ShippedRules.Plain().ShouldContain(
        """
              - alert: BackupFailed
                expr: |
                  increase(backup_job_failures_total[1h]) > 0
                for: 5m
                labels:
                  severity: critical
                annotations:
                  summary: "Backup job failed"
                  description: "Backup job {{ $labels.job }} has failed"

              - alert: BackupDelayed
                expr: |
                  time() - backup_last_success_timestamp > 3600
                for: 10m
                labels:
                  severity: warning
                annotations:
                  summary: "Backup is delayed"
                  description: "No successful backup in the last hour"

        """);

    [Fact]
    public void Every_alert_has_a_severity_a_page_of_its_own_and_a_simulation()
    {
        var simulated = string.Concat(Directory.GetFiles(Simulations, "*.yaml").Select(File.ReadAllText));
        foreach (var rule in ShippedRules.Plain().Split("- alert: ").Skip(1))
        {
            var name = rule.Split('\n')[0].Trim();
            rule.ShouldContain("severity: ");
            rule.ShouldContain("summary: ");
            rule.ShouldContain("description: ");
            simulated.ShouldContain(name);
            var page = RunbookUrl().Match(rule) is { Success: true } match ? match.Groups[1].Value : $"docs/runbooks/{(name == "BackupFailed" ? "backup-failed" : "backup-delayed")}.md";
            var text = File.ReadAllText(Path.Combine(Checkout.Root, page));
            text.ShouldContain(name, customMessage: page);
            text.ShouldContain("## What to do", customMessage: page);
        }
    }

    [System.Text.RegularExpressions.GeneratedRegex("runbook_url: (.+)")]
    private static partial System.Text.RegularExpressions.Regex RunbookUrl();
}
