using System.Diagnostics;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Ceph;
using NLDS.BackupAgent.Testing.Kubernetes;

namespace NLDS.BackupAgent.Deployment.Tests.Security;

/// <summary>
/// The real agent, with a secret of its own in every place that takes one, does what agents do and fails as agents fail. Nothing that it printed, logged, served, sent, stored,
/// or gave to another program holds one of them; and nothing that it wrote to a disk can be read by everybody.
/// </summary>
public sealed class SecretsTests : IAsyncDisposable
{
    private const string Bucket = "secrets";

    /// <summary>No verb takes so long on this little.</summary>
    private static readonly TimeSpan VerbLimit = TimeSpan.FromMinutes(3);

    private readonly Dictionary<string, string> secrets = new()
    {
        ["Postgres:Password"] = "pg-s3cret \"quoted\" 'twice' \\ & + / 4f1c",
        ["Redis:Password"] = "redis-s3cret\"\\&+/=9a2b",
        ["ApplicationData:Postgres:Password"] = "data-s3cret<&>7c1d",
        ["ApplicationData:Redis:Password"] = "cache-s3cret%20&5e6f",
        ["Agent:Token"] = "token-s3cret-0123456789abcdef",
        ["Repository:Encryption:Key"] = Convert.ToBase64String([.. Enumerable.Range(0, 32).Select(n => (byte)((n * 37) + 11))]),
        ["the kubeconfig's token"] = "kube-s3cret-0123456789",
        ["OTEL_EXPORTER_OTLP_HEADERS"] = "otlp-s3cret-77aa",
    };

    private readonly Evidence evidence = new();
    private readonly TemporaryDirectory directory = new();
    private readonly Dictionary<string, string> settings = [];
    private readonly ChildWatch children;
    private readonly OtlpListener otlp;

    public SecretsTests()
    {
        (children, otlp) = (new ChildWatch(evidence), new OtlpListener(evidence));
        Directory.CreateDirectory(directory["tmp"]);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await children.DisposeAsync();
        await otlp.DisposeAsync();
        directory.Dispose();
    }

    [Fact]
    public void A_secret_is_found_however_it_is_written()
    {
        var secret = secrets["Postgres:Password"];
        var connection = new System.Data.Common.DbConnectionStringBuilder { ["Host"] = "db", ["Password"] = secret }.ConnectionString;
        foreach (var written in (string[])
        [
            secret, JsonSerializer.Serialize(secret), Uri.EscapeDataString(secret), Convert.ToBase64String(Encoding.UTF8.GetBytes(secret)), connection, JsonSerializer.Serialize(connection),
        ])
        {
            var one = new Evidence();
            one.Add("a log", $"before {written} behind");
            one.Leaks(secrets).ShouldNotBeEmpty(written);
        }
    }

    [Fact]
    public async Task No_secret_leaves_the_agent_whatever_it_does_and_however_it_fails()
    {
        await using var gateway = await CephGateway.StartAsync(Token);
        await gateway.CreateBucketAsync(Bucket, Token);
        secrets["AWS_SECRET_ACCESS_KEY"] = gateway.SecretKey;
        await using var postgres = await StartPostgresAsync();
        await using var redis = await RedisServer.StartAsync("--save", "");
        await PrepareRedisAsync(redis);
        await using var cluster = await ApiServerDouble.StartAsync();
        cluster.LoadRecordedNamespace();
        cluster.AddUser(secrets["the kubeconfig's token"], new ApiUser("agent", null, ["system:masters"]));
        Configure(gateway, postgres, redis, cluster);

        await WorkAsync();
        await ServeAsync();
        await FailAsync();
        await CollectAsync(gateway);

        // What was looked through is what there is to look through.
        evidence.Holds("backup_last_success_timestamp").ShouldBeTrue();
        evidence.Holds("refused the password").ShouldBeTrue();
        otlp.Signals.ShouldBe(["logs", "metrics", "traces"], ignoreOrder: true);
        children.Programs.ShouldContain("postgres");
        children.Programs.ShouldContain(program => program.StartsWith("redis-", StringComparison.Ordinal));
        evidence.Leaks(secrets).ShouldBeEmpty();
        ReadableByAll().ShouldBeEmpty();
    }

    /// <summary>The verbs, one after the other, under a umask that takes nothing away.</summary>
    private async Task WorkAsync()
    {
        foreach (var verb in (string[])
        [
            "backup all", "list --json", "verify", $"restore postgres --target-directory {directory["pg"]}", $"restore redis --target-directory {directory["redis"]}",
            "restore kubernetes --mode plan", "restore application-data --plan",
        ])
        {
            var (code, words) = await RunAsync(verb);
            code.ShouldBe(0, $"{verb}: {words}");
        }

        await RunAsync("check --json");
        await RunAsync("drill");
        evidence.Holds("\"backups\"").ShouldBeTrue();
        File.Exists(Path.Combine(directory["pg"], "global/pg_control")).ShouldBeTrue();
        Directory.Exists(Path.Combine(directory["redis"], "appendonlydir")).ShouldBeTrue();
    }

    /// <summary>The daemon with either form of its log, and everything that its port gives out.</summary>
    private async Task ServeAsync()
    {
        foreach (var format in (string[])["Text", "Json"])
        {
            var port = FreePorts.Take(1)[0];
            var log = directory[$"agent-{format}.log"];
            var url = $"http://127.0.0.1:{port}";
            await using var agent = ServerProcess.Start(
                "/bin/sh", ["-c", "umask 0; exec \"$0\" run >\"$1\" 2>&1", Program, log], new Dictionary<string, string>(settings) { ["Agent__Urls"] = url, ["Agent__LogFormat"] = format });
            children.Add(agent.Id);
            using var http = new HttpClient();
            var ready = "";
            await Eventually.TrueAsync(async () => (ready = await AskAsync(http, url + "/healthz/ready")).Contains("\"ready\"", StringComparison.Ordinal), "the agent is ready", VerbLimit, () => ready + File.ReadAllText(log));
            foreach (var path in (string[])["/", "/metrics", "/healthz/live", "/healthz/ready", "/status", "/nothing"])
            {
                foreach (var token in (string?[])[null, "wrong-token-0123456789", secrets["Agent:Token"]])
                {
                    http.DefaultRequestHeaders.Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token);
                    using var answer = await http.GetAsync(url + path, Token);
                    evidence.Add($"{path} ({(int)answer.StatusCode})", $"{answer.Headers}{await answer.Content.ReadAsStringAsync(Token)}");
                }
            }

            await RunAsync("status", ("Agent__Urls", url));
            await Eventually.TrueAsync(() => otlp.Signals.Count == 3, "logs, metrics and traces were sent", TimeSpan.FromMinutes(2), () => string.Join(' ', otlp.Signals));
            evidence.Add($"the daemon's log, {format}", await File.ReadAllBytesAsync(log, Token));
        }
    }

    private async Task FailAsync()
    {
        foreach (var (verb, name, value) in ((string, string, string)[])
        [
            ("backup postgres", "Postgres__Password", "wrong-pg-s3cret & 2222"),
            ("backup redis", "Redis__Password", "wrong-redis-s3cret \" 4444"),
            ("backup application-data", "ApplicationData__Postgres__Password", "wrong-data-s3cret 5555"),
            ("list", "AWS_SECRET_ACCESS_KEY", "wrong-aws-s3cret/+6666"),
            ("verify", "Repository__Encryption__Key", Convert.ToBase64String([.. Enumerable.Range(0, 32).Select(n => (byte)((n * 53) + 7))])),
            ("list", "Repository__Encryption__Key", "no-base64-s3cret-8888!"),
            ("list", "Agent__Token", "short-s3cret"),
            ("status", "Agent__Token", "wrong-token-s3cret-9999"),
            ("check", "Postgres__PasswordFile", "/both-are-set-s3cret"),
            ("check", "Postgres__SslMode", "Require"),
            ("check", "Postgres__Pasword", "mistyped-s3cret-aaaa"),
        ])
        {
            if (name is not ("Postgres__PasswordFile" or "Postgres__Pasword" or "Postgres__SslMode"))
            {
                secrets[$"the wrong {name} of '{verb}' ({value.Length})"] = value;
            }

            await RunAsync(verb, (name, value));
        }
    }

    /// <summary>Objects of the store, what lies on the disk, and what was restored.</summary>
    private async Task CollectAsync(CephGateway gateway)
    {
        var store = gateway.OpenStore(Bucket);
        await foreach (var entry in store.ListAsync("", null, Token))
        {
            await using var stored = await store.OpenReadAsync(entry.Key, 0, null, Token);
            using var content = new MemoryStream();
            await stored.CopyToAsync(content, Token);
            evidence.Add($"the object {entry.Key}", content.ToArray());
        }

        // PostgreSQL's own pages and log came as they are from the server.
        foreach (var file in Directory.EnumerateFiles(directory.Path, "*", SearchOption.AllDirectories)
            .Where(file => file != directory["kubeconfig"] && !file.StartsWith(Path.Combine(directory["pg"], "base"), StringComparison.Ordinal) && !file.Contains("/pg_wal/", StringComparison.Ordinal)))
        {
            evidence.Add($"the file {file}", await File.ReadAllBytesAsync(file, Token));
        }
    }

    /// <summary>What this test made itself is not the agent's.</summary>
    private IEnumerable<string> ReadableByAll() => Directory.EnumerateFileSystemEntries(directory.Path, "*", SearchOption.AllDirectories)
        .Where(entry => entry.StartsWith(directory["pg"], StringComparison.Ordinal) || entry.StartsWith(directory["redis"], StringComparison.Ordinal) || entry.StartsWith(directory["tmp"] + "/", StringComparison.Ordinal))
        .Where(entry => (File.GetUnixFileMode(entry) & (UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.GroupWrite)) != 0)
        .Select(entry => $"{File.GetUnixFileMode(entry)} {entry}");

    private static string Program => Path.Combine(AppContext.BaseDirectory, "NLDS.BackupAgent");

    private async Task<(int Code, string Words)> RunAsync(string verb, params (string Name, string Value)[] overrides)
    {
        var start = new ProcessStartInfo("/bin/sh", ["-c", "umask 0; exec \"$@\"", "sh", Program, .. verb.Split(' ')]) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = directory.Path };
        foreach (var (name, value) in settings.Select(s => (s.Key, s.Value)).Concat(overrides))
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        children.Add(process.Id);
        using var limit = new CancellationTokenSource(VerbLimit, TimeProvider.System);
        var (output, error) = (process.StandardOutput.ReadToEndAsync(limit.Token), process.StandardError.ReadToEndAsync(limit.Token));
        await process.WaitForExitAsync(limit.Token);
        evidence.Add($"what '{verb}' printed", await output);
        evidence.Add($"what '{verb}' logged", await error);
        return (process.ExitCode, await output + await error);
    }

    private static async Task<string> AskAsync(HttpClient http, string url)
    {
        try
        {
            using var answer = await http.GetAsync(url, Token);
            return await answer.Content.ReadAsStringAsync(Token);
        }
        catch (HttpRequestException silent)
        {
            return silent.Message;
        }
    }

    private async Task<PostgresServer> StartPostgresAsync()
    {
        var server = await PostgresServer.StartAsync(new PostgresServerOptions { WalSegmentMegabytes = 1, ExtraSettings = new Dictionary<string, string> { ["fsync"] = "off" } });
        await server.ExecuteAsync($"ALTER ROLE {PostgresServer.BackupRole} PASSWORD '{secrets["Postgres:Password"].Replace("'", "''", StringComparison.Ordinal)}'");
        await server.ExecuteAsync($"CREATE ROLE data LOGIN PASSWORD '{secrets["ApplicationData:Postgres:Password"]}'; CREATE TABLE orders AS SELECT 1 AS id; GRANT SELECT ON orders TO data");
        await File.AppendAllTextAsync(Path.Combine(server.DataDirectory, "pg_hba.conf"), "host postgres data 127.0.0.1/32 scram-sha-256\n", Token);
        await server.ExecuteAsync("SELECT pg_reload_conf()");
        return server;
    }

    private async Task PrepareRedisAsync(RedisServer server)
    {
        using var client = new TcpClient("127.0.0.1", server.Port);
        foreach (var words in (string[][])
        [
            ["ACL", "SETUSER", "data", "on", ">" + secrets["ApplicationData:Redis:Password"], "~*", "+@all"],
            ["SET", "nlds:cache:a", "1"],
            ["CONFIG", "SET", "requirepass", secrets["Redis:Password"]],
        ])
        {
            await client.GetStream().WriteAsync(Encoding.UTF8.GetBytes($"*{words.Length}\r\n" + string.Concat(words.Select(word => $"${Encoding.UTF8.GetByteCount(word)}\r\n{word}\r\n"))), Token);
            await client.GetStream().ReadExactlyAsync(new byte[5], Token);
        }
    }

    private void Configure(CephGateway gateway, PostgresServer postgres, RedisServer redis, ApiServerDouble cluster)
    {
        foreach (var (name, value) in new Dictionary<string, string>
        {
            ["Storage__Provider"] = "S3", ["Storage__S3__Bucket"] = Bucket, ["Storage__S3__Region"] = "us-east-1", ["Storage__S3__ServiceUrl"] = gateway.ServiceUrl,
            ["AWS_ACCESS_KEY_ID"] = gateway.AccessKey, ["AWS_SECRET_ACCESS_KEY"] = gateway.SecretKey,
            ["Postgres__Host"] = "127.0.0.1", ["Postgres__Port"] = $"{postgres.Port}", ["Postgres__Username"] = PostgresServer.BackupRole, ["Postgres__Password"] = secrets["Postgres:Password"],
            ["Redis__Host"] = "127.0.0.1", ["Redis__Port"] = $"{redis.Port}", ["Redis__Password"] = secrets["Redis:Password"],
            ["Kubernetes__Namespace"] = "nlds", ["Kubernetes__Kubeconfig"] = cluster.WriteKubeconfig(directory["kubeconfig"], secrets["the kubeconfig's token"]),
            ["ApplicationData__Enabled"] = "true", ["ApplicationData__DataSets__orders__Query"] = "SELECT * FROM orders", ["ApplicationData__DataSets__orders__Table"] = "orders",
            ["ApplicationData__Postgres__Username"] = "data", ["ApplicationData__Postgres__Password"] = secrets["ApplicationData:Postgres:Password"],
            ["ApplicationData__Redis__Username"] = "data", ["ApplicationData__Redis__Password"] = secrets["ApplicationData:Redis:Password"],
            ["Agent__Token"] = secrets["Agent:Token"], ["Repository__Encryption__Key"] = secrets["Repository:Encryption:Key"],
            ["Drill__Directory"] = directory["drill"], ["TMPDIR"] = directory["tmp"],
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = otlp.Url, ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf", ["OTEL_EXPORTER_OTLP_HEADERS"] = $"authorization={secrets["OTEL_EXPORTER_OTLP_HEADERS"]}",
            ["OTEL_METRIC_EXPORT_INTERVAL"] = "500",

            // The runtime's own debugging pipes would lie in the temporary directory, and be waited for when they are read.
            ["DOTNET_EnableDiagnostics"] = "0",
        })
        {
            settings[name] = value;
        }
    }
}
