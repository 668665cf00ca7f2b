namespace NLDS.BackupAgent.Storage.Tests.Contract;

/// <summary>What every store promises. Each store's own class below runs all of it.</summary>
public abstract partial class ObjectStoreContract : IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;

    private IObjectStore? store;

    private IObjectStore Store => store ?? throw new InvalidOperationException("The store is not open yet.");

    public async ValueTask InitializeAsync() => store = await OpenAsync();

    public virtual ValueTask DisposeAsync()
    {
        (store as IDisposable)?.Dispose();
        return ValueTask.CompletedTask;
    }

    protected abstract Task<IObjectStore> OpenAsync();

    private static ObjectKey Key(string text) => new(text);

    private static byte[] Bytes(int count, int seed = 7)
    {
        var bytes = new byte[count];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private async Task<byte[]> ReadAsync(ObjectKey key, long offset = 0, long? length = null)
    {
        await using var body = await Store.OpenReadAsync(key, offset, length, None);
        using var copy = new MemoryStream();
        await body.CopyToAsync(copy);
        return copy.ToArray();
    }

    /// <summary>For what is large: an assertion that compares element by element takes seconds.</summary>
    private async Task ShouldHoldAsync(string key, byte[] content)
    {
        var stored = await ReadAsync(Key(key));
        stored.Length.ShouldBe(content.Length);
        stored.AsSpan().SequenceEqual(content).ShouldBeTrue($"The bytes of '{key}' are others.");
    }

    private async Task<List<string>> ListAsync(string prefix = "", string? startAfter = null)
    {
        List<string> keys = [];
        await foreach (var info in Store.ListAsync(prefix, startAfter is null ? null : Key(startAfter), None))
        {
            keys.Add(info.Key.Value);
        }

        return keys;
    }

    private async Task PutAllAsync(params string[] keys)
    {
        foreach (var key in keys)
        {
            (await Store.PutIfAbsentAsync(Key(key), Bytes(3), None)).ShouldBeTrue();
        }
    }
}
