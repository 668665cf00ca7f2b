using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Storage.Resilience;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Storage.Tests.S3;

/// <summary>The way to a real gateway breaks, stalls and dribbles in the middle of puts, parts, reads and listings.</summary>
public sealed class S3NetworkTests(SharedCephGateway shared, TrustedAuthority trusted) : IAsyncDisposable
{
    private const int BodyBytes = 300_000;

    private static readonly CancellationToken None = CancellationToken.None;

    /// <summary>By a clock that runs twenty times as fast: a part of 5 MiB has 36 s, which are two.</summary>
    private static readonly RetryOptions Patient = new()
    {
        AttemptTimeout = TimeSpan.FromSeconds(16), TotalBudget = TimeSpan.FromMinutes(30), BaseDelay = TimeSpan.FromMilliseconds(200), MaxDelay = TimeSpan.FromSeconds(1),
    };

    private readonly string prefix = $"tests/{Guid.NewGuid():N}";
    private TcpProxy? proxy;
    private TlsFront? front;

    /// <summary>A reset; an end that TCP thinks good, and TLS does not; a silence.</summary>
    public static MatrixTheoryData<string, bool> Breaks => new(["cut", "end", "stall"], [false, true]);

    [Theory]
    [MemberData(nameof(Breaks))]
    public async Task A_call_that_breaks_at_any_byte_is_done_once_and_right(string how, bool isEncrypted)
    {
        using var store = await OpenAsync(isEncrypted: isEncrypted);
        var content = new byte[BodyBytes];
        new Random(7).NextBytes(content);
        var number = 0;
        foreach (var (toServer, bytes) in Places(how, (true, 1), (true, 300), (true, 900), (true, BodyBytes / 2), (true, BodyBytes + 100), (false, 1), (false, 100), (false, 400)))
        {
            var key = new ObjectKey($"put/{++number}");
            Break(toServer, bytes, how);

            // A put whose answer was lost finds its own object, and says that it was there.
            await store.PutIfAbsentAsync(key, content, None);
            (await store.ReadWholeAsync(key)).ShouldBe(content, $"{how} {bytes} bytes {(toServer ? "to the server" : "to the client")}");
        }

        foreach (var bytes in (int[])[1, 200, 700, BodyBytes / 3, BodyBytes - 1])
        {
            Break(toServer: false, bytes, how);
            (await store.ReadWholeAsync(new ObjectKey("put/1"))).ShouldBe(content, $"read, {how} after {bytes} bytes");
        }

        foreach (var bytes in (int[])[1, 300, 1_000])
        {
            Break(toServer: false, bytes, how);
            (await KeysAsync(store)).Count.ShouldBe(number, $"listing, {how} after {bytes} bytes");
        }
    }

    [Theory]
    [MemberData(nameof(Breaks))]
    public async Task An_upload_in_parts_that_breaks_at_any_byte_is_whole_in_the_end(string how, bool isEncrypted)
    {
        using var store = await OpenAsync(isEncrypted: isEncrypted);
        var part = new byte[ObjectWriter.MinimumPartBytes];
        new Random(8).NextBytes(part);
        var number = 0;
        foreach (var (toServer, bytes) in Places(how, (true, 300), (true, 5_000), (true, part.Length), (true, part.Length + 2_000), (false, 200), (false, 900), (false, 1_500)))
        {
            var key = new ObjectKey($"upload/{++number}");
            Break(toServer, bytes, how);
            await using (var upload = await store.BeginUploadAsync(key, None))
            {
                await upload.PutPartAsync(1, 0, part, None);
                await upload.PutPartAsync(2, part.Length, new byte[1_000], None);
                (await upload.CompleteAsync(None)).ShouldBeTrue();
            }
            (await store.ReadWholeAsync(key)).ShouldBe([.. part, .. new byte[1_000]], $"{how} {bytes} bytes {(toServer ? "to the server" : "to the client")}");
        }
    }

    [Fact]
    public async Task A_store_whose_bytes_come_one_at_a_time_is_slow_and_right()
    {
        using var store = await OpenAsync(new RetryOptions());
        proxy!.ToClient.Dribble();
        proxy.ToServer.Dribble();

        await store.PutIfAbsentAsync(new ObjectKey("a"), new byte[2_000], None);

        (await store.ReadWholeAsync(new ObjectKey("a"))).ShouldBe(new byte[2_000]);
        (await KeysAsync(store)).ShouldBe(["a"]);
    }

    [Fact]
    public async Task A_store_that_is_never_reached_is_a_failure_in_time_and_no_absence()
    {
        using var store = await OpenAsync(new RetryOptions
        {
            AttemptTimeout = TimeSpan.FromMilliseconds(200), TotalBudget = TimeSpan.FromSeconds(1), BaseDelay = TimeSpan.FromMilliseconds(10), MaxDelay = TimeSpan.FromMilliseconds(20),
        });
        proxy!.ToServer.Stall();

        (await Should.ThrowAsync<ObjectStoreException>(() => store.HeadAsync(new ObjectKey("a"), None))).IsPermanent.ShouldBeFalse();
        await proxy.RefuseAsync();
        proxy.Cut();
        (await Should.ThrowAsync<ObjectStoreException>(() => store.HeadAsync(new ObjectKey("a"), None))).IsPermanent.ShouldBeFalse();
    }

    public async ValueTask DisposeAsync()
    {
        await (proxy?.DisposeAsync() ?? ValueTask.CompletedTask);
        await (front?.DisposeAsync() ?? ValueTask.CompletedTask);
    }

    private async Task<RetryingObjectStore> OpenAsync(RetryOptions? retries = null, bool isEncrypted = false)
    {
        var gateway = await shared.GetAsync();
        var url = new Uri(gateway.ServiceUrl);
        front = isEncrypted ? TlsFront.Start(url.Host, url.Port, trusted.Certificates) : null;
        proxy = TcpProxy.Start(url.Host, front?.Port ?? url.Port);
        var options = gateway.Options(SharedCephGateway.Bucket, prefix);
        options.ServiceUrl = $"{(isEncrypted ? "https" : "http")}://127.0.0.1:{proxy.Port}";
        return new RetryingObjectStore(
            gateway.OpenStore(options, TimeProvider.System), retries ?? Patient, new StorageMetrics(meters: null), NullLogger<RetryingObjectStore>.Instance,
            retries is null ? new HurriedClock(20) : TimeProvider.System);
    }

    /// <summary>A request that ends early in good order is the server's to refuse, and this server does; no network cuts it off like that and lets the refusal through.</summary>
    private static IEnumerable<(bool ToServer, int Bytes)> Places(string how, params (bool ToServer, int Bytes)[] places) =>
        places.Where(place => how != "end" || !place.ToServer);

    private void Break(bool toServer, int bytes, string how)
    {
        var direction = toServer ? proxy!.ToServer : proxy!.ToClient;
        Action<long> breakAfter = how switch { "cut" => direction.CutAfter, "end" => direction.EndAfter, _ => direction.StallAfter };
        breakAfter(bytes);
    }

    private static async Task<List<string>> KeysAsync(RetryingObjectStore store)
    {
        List<string> keys = [];
        await foreach (var info in store.ListAsync("", null, None))
        {
            keys.Add(info.Key.Value);
        }

        return keys;
    }
}
