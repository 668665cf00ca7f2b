using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository;

/// <summary>Proves that the store does what backups rely on: a put is durable and read back the same, a second put of the name is refused, a listing shows it, a delete removes it.</summary>
internal sealed class RepositoryCheck(BackupRepository repository) : IRepositoryCheck
{
    public string Name => "storage";

    public async IAsyncEnumerable<CheckFinding> CheckAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        yield return await TryAsync("round trip", RoundTripAsync, cancellationToken);
        yield return await TryAsync("repository", DescribeAsync, cancellationToken);
    }

    private static async Task<CheckFinding> TryAsync(string subject, Func<CancellationToken, Task<CheckFinding>> look, CancellationToken cancellationToken)
    {
        try
        {
            return await look(cancellationToken);
        }
        catch (Exception failure) when (failure is ObjectStoreException or ObjectNotFoundException or NotRestorableException)
        {
            return new CheckFinding(subject, CheckVerdict.Fault, failure.Message);
        }
    }

    private async Task<CheckFinding> RoundTripAsync(CancellationToken cancellationToken)
    {
        var key = new ObjectKey($"checks/{Guid.NewGuid():n}");
        var written = RandomNumberGenerator.GetBytes(4096);
        var began = repository.Clock.GetTimestamp();
        if (!await repository.Store.PutIfAbsentAsync(key, written, cancellationToken))
        {
            throw new UnreachableException("A random name was taken.");
        }

        var took = repository.Clock.GetElapsedTime(began);
        try
        {
            var read = await repository.Store.ReadAllAsync(key, cancellationToken);
            if (!read.AsSpan().SequenceEqual(written))
            {
                return new CheckFinding("round trip", CheckVerdict.Fault, $"{repository.Description} gave back other bytes than were put. Do not use this store.");
            }

            if (await repository.Store.PutIfAbsentAsync(key, written, cancellationToken))
            {
                return new CheckFinding("round trip", CheckVerdict.Fault, $"{repository.Description} replaces objects although it is told not to. Do not use this store.");
            }

            return await ListsAsync(key, cancellationToken)
                ? new CheckFinding("round trip", CheckVerdict.Good, $"written, durable, read back and listed in {repository.Description}; the put took {took.TotalMilliseconds:F0} ms")
                : new CheckFinding("round trip", CheckVerdict.Fault, $"{repository.Description} does not list an object that it has just taken. Restores rely on listings; do not use this store.");
        }
        finally
        {
            await repository.Store.DeleteAsync([key], cancellationToken);
        }
    }

    private async Task<bool> ListsAsync(ObjectKey key, CancellationToken cancellationToken)
    {
        await foreach (var entry in repository.Store.ListAsync("checks/", null, cancellationToken))
        {
            if (entry.Key == key)
            {
                return true;
            }
        }

        return false;
    }

    private async Task<CheckFinding> DescribeAsync(CancellationToken cancellationToken)
    {
        if (await repository.Store.HeadAsync(BackupRepository.DocumentKey, cancellationToken) is null)
        {
            return new CheckFinding("repository", CheckVerdict.Good, "there is none yet; the first 'run' or 'backup' creates it");
        }

        await repository.RequireAsync(cancellationToken);
        return new CheckFinding("repository", CheckVerdict.Good, "is there and can be read by this version");
    }
}
