using System.Globalization;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository;

/// <summary>
/// The store's part of <c>check</c>: everything that backups and restores do to a store, done once with an object of its own, which is removed again.
/// </summary>
internal sealed class StoreCheck(IObjectStore store, TimeProvider clock) : IRepositoryCheck
{
    private const string Prefix = "check/";
    private const int ContentBytes = 4096;

    public string Name => "storage";

    public async IAsyncEnumerable<CheckFinding> CheckAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var key = new ObjectKey(Prefix + Guid.NewGuid().ToString("N"));
        var content = RandomNumberGenerator.GetBytes(ContentBytes);
        var put = await TryAsync("write", () => PutAsync(key, content, cancellationToken));
        yield return put;
        if (put.Verdict == CheckVerdict.Good)
        {
            yield return await TryAsync("read", () => ReadAsync(key, content, cancellationToken));

            // What was put must go, whatever became of the rest.
            yield return await TryAsync("remove", () => RemoveAsync(key, cancellationToken));
        }

        // Nothing is locked to try it: it could not be removed again.
        if (await TryAsync("lock", () => RequireLocksAsync(cancellationToken)) is { Verdict: not CheckVerdict.Good } fault)
        {
            yield return fault;
        }
    }

    private async Task<CheckFinding> PutAsync(ObjectKey key, byte[] content, CancellationToken cancellationToken)
    {
        var began = clock.GetTimestamp();
        await store.PutIfAbsentAsync(key, content, cancellationToken);
        return new CheckFinding(
            "write",
            CheckVerdict.Good,
            string.Create(CultureInfo.InvariantCulture, $"an object was durable in {store.Description} after {clock.GetElapsedTime(began).TotalMilliseconds:0} ms"));
    }

    private async Task<CheckFinding> ReadAsync(ObjectKey key, byte[] content, CancellationToken cancellationToken)
    {
        var listed = false;
        await foreach (var entry in store.ListAsync(Prefix, null, cancellationToken))
        {
            listed |= entry.Key == key;
        }

        if (!listed)
        {
            return Fault($"{store.Description} does not list the object that was just put. Use a store whose listings are up to date.");
        }

        if (!(await store.ReadAllAsync(key, cancellationToken)).AsSpan().SequenceEqual(content))
        {
            return Fault($"{store.Description} gave back other bytes than were put. Do not trust it with backups.");
        }

        return await store.PutIfAbsentAsync(key, RandomNumberGenerator.GetBytes(ContentBytes), cancellationToken)
            ? Fault($"{store.Description} let an object be replaced. Set Storage:S3:ConditionalPut to Auto or Off.")
            : new CheckFinding("read", CheckVerdict.Good, "it was listed, read back byte for byte, and the store refused to replace it");

        static CheckFinding Fault(string message) => new("read", CheckVerdict.Fault, message);
    }

    private async Task<CheckFinding> RemoveAsync(ObjectKey key, CancellationToken cancellationToken)
    {
        await store.DeleteAsync([key], cancellationToken);
        return new CheckFinding("remove", CheckVerdict.Good, "it was removed again");
    }

    private async Task<CheckFinding> RequireLocksAsync(CancellationToken cancellationToken)
    {
        await store.RequireProtectionAsync(cancellationToken);
        return new CheckFinding("lock", CheckVerdict.Good, "the store locks what it should");
    }

    private static async Task<CheckFinding> TryAsync(string subject, Func<Task<CheckFinding>> step)
    {
        try
        {
            return await step();
        }
        catch (Exception failure) when (failure is ObjectStoreException or ObjectNotFoundException)
        {
            return new CheckFinding(subject, CheckVerdict.Fault, failure.Message);
        }
    }
}
