using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Storage.S3;

namespace NLDS.BackupAgent.Testing.Ceph;

/// <summary>
/// A real S3 server: Ceph's RADOS gateway, on free ports of loopback, with its data in memory. It takes some seconds to start,
/// so a test assembly shares one.
/// </summary>
public sealed class CephGateway : IAsyncDisposable
{
    /// <summary>Someone else may take a chosen port first; three such accidents in a row are none.</summary>
    private const int StartAttempts = 3;

    private static readonly TimeSpan StartTimeout = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(50);
    private static readonly string[] Programs = ["monmaptool", "ceph-mon", "ceph", "ceph-osd", "radosgw", "radosgw-admin"];

    private readonly TemporaryDirectory folder = new();
    private readonly List<ServerProcess> servers = [];
    private readonly string configuration;
    private readonly int monitorPort;
    private ServerProcess? disk;

    private CephGateway()
    {
        var ports = FreePorts.Take(2);
        monitorPort = ports[0];
        ServiceUrl = $"http://127.0.0.1:{ports[1]}";
        configuration = folder["ceph.conf"];
        Cluster = Guid.NewGuid().ToString();
        File.WriteAllText(configuration, CephConfiguration.Text(folder.Path, Cluster, monitorPort, ports[1]));
        foreach (var part in (string[])["mon", "osd", "rgw"])
        {
            Directory.CreateDirectory(folder[part]);
        }
    }

    public string ServiceUrl { get; }

    public string AccessKey { get; } = "nldstestaccess";

    public string SecretKey { get; } = "nldstestsecret1234567890";

    private string Cluster { get; }

    /// <exception cref="InvalidOperationException">Ceph is not installed, or did not start; the message says what to do.</exception>
    public static async Task<CephGateway> StartAsync(CancellationToken cancellationToken)
    {
        RequirePrograms();
        for (var attempt = 1; ; attempt++)
        {
            var gateway = new CephGateway();
            using var limit = new CancellationTokenSource(StartTimeout, TimeProvider.System);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
            try
            {
                await gateway.RunAsync(either.Token);
                return gateway;
            }
            catch (Exception failure) when (!cancellationToken.IsCancellationRequested)
            {
                var log = gateway.Log();
                await gateway.DisposeAsync();
                if (attempt == StartAttempts)
                {
                    throw new InvalidOperationException($"Ceph did not start ({failure.Message}). The end of its logs:{log}", failure);
                }
            }
        }
    }

    /// <param name="hasObjectLock">Versioned, with Object Lock: it can be had only from the beginning here.</param>
    public async Task CreateBucketAsync(string name, CancellationToken cancellationToken, bool hasObjectLock = false)
    {
        using var client = CreateClient();
        await client.PutBucketAsync(new PutBucketRequest { BucketName = name, ObjectLockEnabledForBucket = hasObjectLock }, cancellationToken);
    }

    /// <summary>A user who owns nothing.</summary>
    /// <returns>How it signs.</returns>
    public async Task<BasicAWSCredentials> CreateUserAsync(string name, CancellationToken cancellationToken)
    {
        var credentials = new BasicAWSCredentials($"{name}access", $"{name}secret1234567890");
        await ToolAsync(
            "radosgw-admin",
            ["-c", configuration, "-n", "client.rgw", "user", "create", $"--uid={name}", $"--display-name={name}", $"--access-key={name}access", $"--secret-key={name}secret1234567890"],
            cancellationToken);
        return credentials;
    }

    /// <summary>A client of the SDK, for looking behind the store's back.</summary>
    public IAmazonS3 CreateClient() =>
        new AmazonS3Client(new BasicAWSCredentials(AccessKey, SecretKey), new AmazonS3Config
        {
            ServiceURL = ServiceUrl,
            ForcePathStyle = true,
            AuthenticationRegion = "us-east-1",
            MaxErrorRetry = 0,
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
        });

    /// <summary>The store on a bucket of this gateway, without retries.</summary>
    public IObjectStore OpenStore(string bucket, string prefix = "") =>
        OpenStore(Options(bucket, prefix), TimeProvider.System);

    /// <summary>The store with settings of the caller's, without retries.</summary>
    public IObjectStore OpenStore(S3Options options, TimeProvider time) =>
        new S3ObjectStore(options, new BasicAWSCredentials(AccessKey, SecretKey), time, NullLogger<S3ObjectStore>.Instance);

    /// <summary>The settings of a store on a bucket of this gateway; the credentials go by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.</summary>
    public S3Options Options(string bucket, string prefix = "") =>
        new() { Bucket = bucket, Prefix = prefix, ServiceUrl = ServiceUrl, Region = "us-east-1" };

    /// <summary>Stops the disk: the gateway takes requests and never answers them.</summary>
    public void Pause() => disk!.Pause();

    public void Resume() => disk!.Resume();

    public async ValueTask DisposeAsync()
    {
        foreach (var server in Enumerable.Reverse(servers))
        {
            await server.DisposeAsync();
        }

        folder.Dispose();
    }

    private static void RequirePrograms()
    {
        var path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':');
        var missing = Programs.Where(program => !path.Any(place => File.Exists(Path.Combine(place, program)))).ToList();
        if (missing.Count > 0)
        {
            throw new InvalidOperationException(
                $"{string.Join(", ", missing)} is not installed. Run: apt-get install --no-install-recommends radosgw ceph-mon ceph-osd ceph-common");
        }
    }

    private async Task RunAsync(CancellationToken cancellationToken)
    {
        await ToolAsync("monmaptool", ["--create", "--clobber", "--fsid", Cluster, "--addv", "a", $"[v2:127.0.0.1:{monitorPort}]", folder["monmap"]], cancellationToken);
        await ToolAsync("ceph-mon", ["--mkfs", "-i", "a", "--monmap", folder["monmap"], "-c", configuration], cancellationToken);
        Serve("ceph-mon", "-i", "a");
        var diskId = Guid.NewGuid().ToString();
        await UntilAsync(() => CephAsync(["osd", "new", diskId, "0"], cancellationToken), cancellationToken);
        await ToolAsync("ceph-osd", ["-i", "0", "--mkfs", "--osd-uuid", diskId, "-c", configuration], cancellationToken);
        disk = Serve("ceph-osd", "-i", "0");
        await UntilAsync(
            async () => (await CephAsync(["osd", "stat", "-f", "json"], cancellationToken))?.Contains("\"num_up_osds\":1", StringComparison.Ordinal) == true
                ? "up" : null,
            cancellationToken);
        Serve("radosgw", "-n", "client.rgw");
        using var http = new HttpClient();
        await UntilAsync(() => AnswersAsync(http, cancellationToken), cancellationToken);
        await ToolAsync(
            "radosgw-admin",
            ["-c", configuration, "-n", "client.rgw", "user", "create", "--uid=test", "--display-name=test", $"--access-key={AccessKey}", $"--secret-key={SecretKey}"],
            cancellationToken);
    }

    private ServerProcess Serve(string program, string flag, string name)
    {
        var server = ServerProcess.Start(program, ["-f", flag, name, "-c", configuration]);
        servers.Add(server);
        return server;
    }

    private static async Task<string?> ToolAsync(string program, string[] arguments, CancellationToken cancellationToken) =>
        await ServerProcess.RunAsync(program, arguments, cancellationToken);

    /// <summary>Null while the monitor does not answer.</summary>
    private async Task<string?> CephAsync(string[] arguments, CancellationToken cancellationToken)
    {
        try
        {
            return await ToolAsync("ceph", ["-c", configuration, "--connect-timeout", "2", .. arguments], cancellationToken);
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    private async Task<string?> AnswersAsync(HttpClient http, CancellationToken cancellationToken)
    {
        try
        {
            return (await http.GetAsync(new Uri(ServiceUrl), cancellationToken)).StatusCode.ToString();
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    private async Task UntilAsync(Func<Task<string?>> ready, CancellationToken cancellationToken)
    {
        while (await ready() is null)
        {
            if (servers.Any(server => server.HasExited))
            {
                throw new InvalidOperationException("One of its daemons ended.");
            }

            await Task.Delay(PollInterval, TimeProvider.System, cancellationToken);
        }
    }

    private string Log() =>
        string.Concat(Directory.GetFiles(folder.Path, "*.log").Select(file => $"{Environment.NewLine}{file}{Environment.NewLine}"
            + string.Join(Environment.NewLine, File.ReadLines(file).TakeLast(10))));
}
