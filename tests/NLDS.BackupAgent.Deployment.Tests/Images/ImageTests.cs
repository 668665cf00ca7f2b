using System.Net;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Deployment.Tests.Images;

/// <summary>What the Dockerfile builds, built by its own commands from what it copies, and run with nothing around it, as far as that goes without a container engine.</summary>
[Collection(typeof(ImageCollection))]
public sealed class ImageTests
{
    [Fact]
    public async Task The_published_agent_backs_up_a_server_from_a_read_only_root_that_has_only_the_images_packages()
    {
        var cancellation = TestContext.Current.CancellationToken;
        using var root = await EmptyRoot.PublishAsync(cancellation);
        await using var server = await PostgresServer.StartAsync();
        var port = FreePorts.Take(1)[0];
        var environment = new Dictionary<string, string>(Dockerfile.Stage("slim").Environment)
        {
            ["Agent__Urls"] = $"http://127.0.0.1:{port}",
            ["Storage__Provider"] = "Directory",
            ["Storage__Directory__Path"] = "/backups",
            ["Repository__Encryption__Key"] = Convert.ToBase64String(new byte[32]),
            ["Postgres__Host"] = "127.0.0.1",
            ["Postgres__Port"] = $"{server.Port}",
            ["Postgres__Username"] = PostgresServer.BackupRole,
            ["Postgres__Password"] = PostgresServer.BackupPassword,
            ["Postgres__FullBackup__TimeZone"] = "Europe/Berlin",
        };
        var (program, arguments) = root.Command("run");
        await using var agent = ServerProcess.Start(program, arguments, environment);
        using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };

        await Eventually.TrueAsync(
            async () => !agent.HasExited && await AnswersAsync(client, "/healthz/ready") && Directory.EnumerateFiles(root.Backups, "manifest.json", SearchOption.AllDirectories).Any(),
            "a base backup was sealed",
            TimeSpan.FromMinutes(2));

        (await client.GetStringAsync(new Uri("/metrics", UriKind.Relative), cancellation)).ShouldContain("backup_last_success_timestamp");
        Directory.EnumerateFiles(root.Backups, "*.zst.enc", SearchOption.AllDirectories).ShouldNotBeEmpty("libzstd and libssl were found");
    }

    private static async Task<bool> AnswersAsync(HttpClient client, string path)
    {
        try
        {
            using var answer = await client.GetAsync(new Uri(path, UriKind.Relative), TestContext.Current.CancellationToken);
            return answer.StatusCode == HttpStatusCode.OK;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}

/// <summary>Compiling takes every processor for minutes: the tests in which an hour lasts half a minute come first.</summary>
[CollectionDefinition(DisableParallelization = true)]
public sealed class ImageCollection;
