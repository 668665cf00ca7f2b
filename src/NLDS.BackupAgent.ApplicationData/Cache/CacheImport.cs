using System.Globalization;
using System.Text;

namespace NLDS.BackupAgent.ApplicationData.Cache;

/// <summary>How the cache differs from what is there now. The payload of a large set has no fixed order, so an equal one may count as changed.</summary>
internal readonly record struct CacheDifference(long New, long Changed, long Equal, long Expired);

/// <summary>
/// Puts keys back as RESTORE … REPLACE does. Redis has no transaction that could hold so many, so each key goes back by itself; doing it again does the same.
/// </summary>
/// <param name="keepsLifetime">Every key lives as long as it had when it was copied, instead of what is left of that since.</param>
internal sealed class CacheImport(CacheConnection connection, bool keepsLifetime, TimeProvider clock)
{
    /// <summary>What is sent together, to which the answers are as large.</summary>
    private const int KeysPerBatch = 128;
    private const int BytesPerBatch = 4 << 20;

    private const int NamedFailures = 5;

    private readonly List<string> failures = [];
    private long failed;

    public CacheDifference Difference { get; private set; }

    /// <summary>Keys that the server did not take, a sentence each.</summary>
    public IReadOnlyList<string> Failures => failed <= NamedFailures ? failures : [.. failures, $"{failed - NamedFailures} more keys of the cache."];

    /// <summary>Compares one file's keys with what is there, and puts those that differ back unless it only looks.</summary>
    public async Task MeetAsync(IReadOnlyList<CachedKey> keys, bool applies, CancellationToken cancellationToken)
    {
        for (var from = 0; from < keys.Count;)
        {
            var batch = new List<CachedKey>();
            for (long bytes = 0; from < keys.Count && batch.Count < KeysPerBatch && bytes < BytesPerBatch; from++)
            {
                if (Lifetime(keys[from]) is null)
                {
                    Difference = Difference with { Expired = Difference.Expired + 1 };
                    continue;
                }

                batch.Add(keys[from]);
                bytes += keys[from].Payload.Length;
            }

            var different = await CompareAsync(batch, cancellationToken);
            if (applies)
            {
                await PutAsync(batch, different, cancellationToken);
            }
        }
    }

    /// <summary>Milliseconds, 0 for ever; null when it has run out.</summary>
    private long? Lifetime(CachedKey key) => key switch
    {
        { ExpiresAt: null } => 0,
        _ when keepsLifetime => key.Remaining,
        { ExpiresAt: { } expires } => expires - clock.GetUtcNow().ToUnixTimeMilliseconds() is > 0 and var left ? left : null,
    };

    private async Task<HashSet<int>> CompareAsync(List<CachedKey> batch, CancellationToken cancellationToken)
    {
        batch.ForEach(key => connection.Enqueue("DUMP"u8, key.Key));
        await connection.SendAsync(cancellationToken);
        var different = new HashSet<int>();
        for (var i = 0; i < batch.Count; i++)
        {
            var there = await connection.ReadAsync(cancellationToken);
            if (there.Error is { } error)
            {
                throw new CacheException($"Redis refused DUMP: {error.TrimEnd('.')}. Give the user +dump and +restore on its keys.");
            }

            var isEqual = there.Bytes is { } payload && payload.AsSpan().SequenceEqual(batch[i].Payload);
            var isNew = there.Bytes is null && there.PassedOverBytes is null;
            Difference = Difference with
            {
                New = Difference.New + (isNew ? 1 : 0),
                Equal = Difference.Equal + (isEqual ? 1 : 0),
                Changed = Difference.Changed + (isNew || isEqual ? 0 : 1),
            };
            if (!isEqual)
            {
                different.Add(i);
            }
        }

        return different;
    }

    /// <summary>An equal value gets its time to live back and is not written again.</summary>
    private async Task PutAsync(List<CachedKey> batch, HashSet<int> different, CancellationToken cancellationToken)
    {
        for (var i = 0; i < batch.Count; i++)
        {
            var lifetime = Lifetime(batch[i]) ?? 1;
            var milliseconds = Encoding.ASCII.GetBytes(lifetime.ToString(CultureInfo.InvariantCulture));
            if (different.Contains(i))
            {
                connection.Enqueue("RESTORE"u8, batch[i].Key, milliseconds, batch[i].Payload, "REPLACE"u8.ToArray());
            }
            else if (lifetime == 0)
            {
                connection.Enqueue("PERSIST"u8, batch[i].Key);
            }
            else
            {
                connection.Enqueue("PEXPIRE"u8, batch[i].Key, milliseconds);
            }
        }

        await connection.SendAsync(cancellationToken);
        foreach (var key in batch)
        {
            if ((await connection.ReadAsync(cancellationToken)).Error is { } error && ++failed <= NamedFailures)
            {
                failures.Add($"The cache's key {key.Name}: {error.TrimEnd('.')}.");
            }
        }
    }
}
