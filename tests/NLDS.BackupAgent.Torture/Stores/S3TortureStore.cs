using System.Globalization;
using Amazon.S3.Model;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Ceph;

namespace NLDS.BackupAgent.Torture.Stores;

/// <summary>A bucket of a real S3 server behind a network that refuses, is silent, breaks off, or leads to a server that hangs.</summary>
internal sealed class S3TortureStore : TortureStore
{
    private const string Bucket = "torture";

    private readonly CephGateway gateway;
    private readonly TcpProxy proxy;

    private S3TortureStore(CephGateway gateway)
    {
        this.gateway = gateway;
        proxy = TcpProxy.Start("127.0.0.1", new Uri(gateway.ServiceUrl).Port);
    }

    public override IReadOnlyDictionary<string, string> Settings => new Dictionary<string, string>
    {
        ["Storage__Provider"] = "S3",
        ["Storage__S3__Bucket"] = Bucket,
        ["Storage__S3__Region"] = "us-east-1",
        ["Storage__S3__ServiceUrl"] = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{proxy.Port}"),
        ["AWS_ACCESS_KEY_ID"] = gateway.AccessKey,
        ["AWS_SECRET_ACCESS_KEY"] = gateway.SecretKey,
    };

    public static async Task<S3TortureStore> StartAsync()
    {
        var gateway = await CephGateway.StartAsync(CancellationToken.None);
        await gateway.CreateBucketAsync(Bucket, CancellationToken.None);
        return new S3TortureStore(gateway);
    }

    public override async Task LeaveAsync(Random random)
    {
        switch (random.Next(4))
        {
            case 0:
                await proxy.RefuseAsync();
                proxy.Cut();
                break;
            case 1:
                proxy.ToClient.Stall();
                break;
            case 2:
                proxy.ToServer.CutAfter(random.Next(1, 50_000));
                proxy.ToClient.CutAfter(random.Next(1, 50_000));
                proxy.ToServer.Delay(TimeSpan.FromMilliseconds(300));
                break;
            default:
                gateway.Pause();
                break;
        }
    }

    public override Task ReturnAsync()
    {
        proxy.ToClient.Resume();
        proxy.ToServer.Delay(TimeSpan.Zero);
        proxy.Welcome();
        gateway.Resume();
        return Task.CompletedTask;
    }

    public override async Task<StoreContent> CountAsync()
    {
        using var client = gateway.CreateClient();
        var uploads = await client.ListMultipartUploadsAsync(new ListMultipartUploadsRequest { BucketName = Bucket });
        var keys = new List<string>();
        await foreach (var one in client.Paginators.ListObjectsV2(new ListObjectsV2Request { BucketName = Bucket }).S3Objects)
        {
            keys.Add(one.Key);
        }

        return StoreContent.Of(keys, uploads.MultipartUploads?.Count ?? 0);
    }

    public override async ValueTask DisposeAsync()
    {
        await proxy.DisposeAsync();
        await gateway.DisposeAsync();
    }
}
