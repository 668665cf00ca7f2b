using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Deployment.Tests.Alerts;

/// <summary>A real Prometheus with given rules, a real Alertmanager, and somebody who is called by it.</summary>
internal sealed class Watchers : IAsyncDisposable
{
    private readonly TemporaryDirectory directory = new();
    private readonly ConcurrentQueue<(string Alert, string Status)> calls = new();
    private readonly HttpClient client = new();
    private readonly List<ServerProcess> servers = [];
    private WebApplication? person;

    public string Prometheus { get; private set; } = "";

    /// <summary>What the webhook was told, in order.</summary>
    public IReadOnlyList<(string Alert, string Status)> Calls => [.. calls];

    /// <param name="rules">The rules' file.</param>
    /// <param name="agent">The agent's address and port.</param>
    /// <param name="others">Series of what another part of the product exports, in Prometheus's text format.</param>
    public static async Task<Watchers> StartAsync(string rules, string agent, string others)
    {
        var watchers = new Watchers();
        await watchers.BeginAsync(rules, agent, others);
        return watchers;
    }

    /// <summary>The samples that a query gives now.</summary>
    public async Task<IReadOnlyList<JsonElement>> QueryAsync(string query)
    {
        using var answer = await client.GetAsync(new Uri($"{Prometheus}/api/v1/query?query={Uri.EscapeDataString(query)}"));
        using var document = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        document.RootElement.GetProperty("status").GetString().ShouldBe("success", $"{query}: {document.RootElement}");
        return [.. document.RootElement.GetProperty("data").GetProperty("result").EnumerateArray().Select(sample => sample.Clone())];
    }

    public Task IsToldAsync(string alert, string status) =>
        Eventually.TrueAsync(() => calls.Contains((alert, status)), $"the webhook is told that {alert} is {status}", TimeSpan.FromMinutes(3), () => string.Join(", ", calls));

    public async ValueTask DisposeAsync()
    {
        foreach (var server in servers)
        {
            await server.DisposeAsync();
        }

        if (person is not null)
        {
            await person.DisposeAsync();
        }

        client.Dispose();
        directory.Dispose();
    }

    private async Task BeginAsync(string rules, string agent, string others)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        person = builder.Build();
        person.Urls.Add("http://127.0.0.1:0");
        person.MapGet("/metrics", () => Results.Text(others));
        person.MapPost("/alerts", async (HttpRequest request) =>
        {
            using var call = await JsonDocument.ParseAsync(request.Body);
            foreach (var alert in call.RootElement.GetProperty("alerts").EnumerateArray())
            {
                calls.Enqueue((alert.GetProperty("labels").GetProperty("alertname").GetString()!, alert.GetProperty("status").GetString()!));
            }
        });
        await person.StartAsync();
        var ports = FreePorts.Take(3);
        var hook = new Uri(person.Urls.Single());
        await File.WriteAllTextAsync(directory["rules.yml"], rules);
        await File.WriteAllTextAsync(
            directory["prometheus.yml"],
            $$"""
            global: { scrape_interval: 500ms, evaluation_interval: 500ms }
            rule_files: [rules.yml]
            alerting: { alertmanagers: [ { static_configs: [ { targets: ['127.0.0.1:{{ports[1]}}'] } ] } ] }
            scrape_configs:
              - job_name: nlds-backup
                static_configs: [ { targets: ['{{agent}}'], labels: { namespace: nlds, pod: postgres-0 } } ]
                metric_relabel_configs: [ { source_labels: [backup_job], regex: (.+), target_label: job } ]
              - job_name: others
                static_configs: [ { targets: ['{{hook.Authority}}'], labels: { namespace: nlds, pod: postgres-0 } } ]
            """);
        await File.WriteAllTextAsync(
            directory["alertmanager.yml"],
            $$"""
            route: { receiver: person, group_by: [alertname], group_wait: 100ms, group_interval: 500ms, repeat_interval: 1h }
            receivers: [ { name: person, webhook_configs: [ { url: '{{hook}}alerts', send_resolved: true } ] } ]
            """);
        Prometheus = Address(ports[0]);
        servers.Add(ServerProcess.Start("prometheus-alertmanager", [
            $"--config.file={directory["alertmanager.yml"]}", $"--storage.path={directory["alertmanager"]}", $"--web.listen-address=127.0.0.1:{ports[1]}", "--cluster.listen-address=", "--log.level=error"]));
        servers.Add(ServerProcess.Start("prometheus", [
            $"--config.file={directory["prometheus.yml"]}", $"--storage.tsdb.path={directory["prometheus"]}", $"--web.listen-address=127.0.0.1:{ports[0]}", "--rules.alert.resend-delay=500ms", "--log.level=error"]));
        await Eventually.TrueAsync(() => IsReadyAsync(Prometheus), "Prometheus is ready");
        await Eventually.TrueAsync(() => IsReadyAsync(Address(ports[1])), "Alertmanager is ready");
    }

    private static string Address(int port) => string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}");

    private async Task<bool> IsReadyAsync(string address)
    {
        try
        {
            using var answer = await client.GetAsync(new Uri($"{address}/-/ready"));
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
