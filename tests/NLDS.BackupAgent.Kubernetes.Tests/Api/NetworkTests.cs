using NLDS.BackupAgent.Kubernetes.Api;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Kubernetes;

namespace NLDS.BackupAgent.Kubernetes.Tests.Api;

/// <summary>The way to the API server breaks, stalls and dribbles.</summary>
public sealed class NetworkTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();
    private readonly TestCertificates certificates = new("127.0.0.1");

    /// <summary>In a handshake, where there is one, in a head, in a body; with a reset, or with an end that TCP thinks good.</summary>
    public static MatrixTheoryData<int, string, bool> Cuts => new([1, 150, 2_000, 20_000, 60_000], ["cut", "end"], [false, true]);

    public void Dispose()
    {
        directory.Dispose();
        certificates.Dispose();
    }

    [Theory]
    [MemberData(nameof(Cuts))]
    public async Task A_backup_whose_connection_is_cut_at_any_byte_is_whole(int bytes, string how, bool isEncrypted)
    {
        await using var cluster = await TestCluster.StartAsync();
        await using var front = TlsFront.Start("127.0.0.1", cluster.Server.Url.Port, certificates);
        await using var proxy = Through(cluster, isEncrypted ? front : null);
        var whole = await cluster.ReadArchiveAsync(await cluster.TakeAsync());
        Action<long> breakAfter = how == "cut" ? proxy.ToClient.CutAfter : proxy.ToClient.EndAfter;
        breakAfter(bytes);

        var backup = await cluster.TakeAsync();

        backup.Omissions.ShouldBeEmpty();
        (await cluster.ReadArchiveAsync(backup)).Keys.ShouldBe(whole.Keys, ignoreOrder: true);
        (await cluster.VerifyAsync()).Damage.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(5, false)]
    [InlineData(1_000, false)]
    [InlineData(5, true)]
    [InlineData(3_000, true)]
    public async Task A_server_that_falls_silent_in_an_answer_is_asked_again(int bytes, bool isEncrypted)
    {
        await using var cluster = await TestCluster.StartAsync();
        await using var front = TlsFront.Start("127.0.0.1", cluster.Server.Url.Port, certificates);
        await using var proxy = Through(cluster, isEncrypted ? front : null);
        var clock = new ManualClock();
        using var api = new KubernetesApi(ClusterConnections.Find(cluster.Options, clock), clock);
        var before = proxy.ToClient.BytesForwarded;
        proxy.ToClient.StallAfter(bytes);

        var asking = api.GetAsync("api/v1/namespaces/nlds/configmaps", TestContext.Current.CancellationToken);
        await Eventually.TrueAsync(() => proxy.ToClient.BytesForwarded - before >= bytes, "the server falls silent");

        clock.Advance(TimeSpan.FromSeconds(75));
        await clock.WaitForTimerAsync(TimeSpan.FromSeconds(1)).WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System);
        clock.Advance(TimeSpan.FromSeconds(1));

        using var answer = await asking.WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System);
        answer.RootElement.GetProperty("kind").GetString().ShouldBe("ConfigMapList");
    }

    [Fact]
    public async Task A_restore_whose_connection_is_cut_again_and_again_comes_to_its_end()
    {
        await using var cluster = await TestCluster.StartAsync();
        await using var proxy = Through(cluster);
        var before = Declared.Of(cluster.Server, "nlds");
        await cluster.TakeAsync();
        cluster.Server.Wipe("nlds");
        for (var cut = 1; cut <= 5; cut++)
        {
            proxy.ToServer.CutAfter(cut * 4_000);
            try
            {
                await cluster.RestoreAsync();
            }
            catch (SourceException broken)
            {
                broken.IsPermanent.ShouldBeFalse();
            }
        }

        (await cluster.RestoreAsync()).NotRestored.ShouldBeEmpty();

        Declared.Of(cluster.Server, "nlds").Keys.ShouldBe(before.Keys, ignoreOrder: true);
    }

    private TcpProxy Through(TestCluster cluster, TlsFront? front = null)
    {
        var proxy = TcpProxy.Start("127.0.0.1", front?.Port ?? cluster.Server.Url.Port);
        var url = front is null ? $"http://127.0.0.1:{proxy.Port}" : $"https://127.0.0.1:{proxy.Port}, certificate-authority: {certificates.RootPath}";
        var path = directory["through-proxy"];
        File.WriteAllText(path, File.ReadAllText(cluster.Options.Kubeconfig!).Replace(cluster.Server.Url.ToString(), url, StringComparison.Ordinal));
        cluster.Options.Kubeconfig = path;
        return proxy;
    }
}
