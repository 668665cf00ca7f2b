using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Leases;

/// <summary>Why a lease is not to be had now.</summary>
/// <param name="Message">Who has it and what to do, for people.</param>
/// <param name="IsAlive">The holder certainly lives; otherwise that is still being found out.</param>
public sealed record LeaseRefusal(string Message, bool IsAlive)
{
    /// <summary>The holder's epoch.</summary>
    internal ulong Epoch { get; init; }
}

/// <summary>
/// Decides whether this agent may take a source's lease, and takes it. A holder on this machine is looked up among its processes; one elsewhere is given up when
/// its beat has not changed for the lapse by this process's own clock. For one caller at a time.
/// </summary>
internal sealed class LeaseContender(LeaseFolder folder, AgentIdentity agent, Guid session, LeaseTiming timing, Func<ProcessIdentity, bool?> isAlive, TimeProvider clock)
{
    /// <summary>Each loss means that another has won; whoever loses this often can as well be told who.</summary>
    private const int Races = 5;

    private Sighting? sighting;

    /// <returns>The lease that is now this agent's, or why it is not to be had.</returns>
    public async Task<(LeaseDocument? Taken, LeaseRefusal? Refusal)> TryTakeAsync(CancellationToken cancellationToken)
    {
        LeaseRefusal? refusal = null;
        for (var race = 0; race < Races; race++)
        {
            var newest = await folder.FindNewestAsync(cancellationToken);
            refusal = newest is null ? null : Judge(newest);
            if (refusal is not null)
            {
                return (null, refusal);
            }

            var document = Document((newest?.Epoch ?? 0) + 1);
            if (await folder.PutAsync(document, cancellationToken) && await HasItAsync(document, cancellationToken))
            {
                sighting = null;
                return (document, null);
            }
        }

        return (null, new LeaseRefusal($"Several agents ask for the archive of {folder.Source} in {folder.StoreDescription} at once.", IsAlive: false));
    }

    /// <summary>
    /// An epoch that was long over may be free again because its successors' successor has removed it: only the newest counts. And where the store replaces
    /// what it should refuse to, the last writer's document is the one that stays.
    /// </summary>
    private async Task<bool> HasItAsync(LeaseDocument own, CancellationToken cancellationToken)
    {
        if (!folder.IsGuarded)
        {
            await Task.Delay(timing.Settling, clock, cancellationToken);
            if (!await folder.IsOwnAsync(own, cancellationToken))
            {
                return false;
            }
        }

        var epochs = await folder.ListAsync(cancellationToken);
        if (epochs is not [.., var newest] || newest != own.Epoch)
        {
            return false;
        }

        await TidyAsync(own.Epoch, epochs, cancellationToken);
        return true;
    }

    private async Task TidyAsync(ulong epoch, IReadOnlyList<ulong> epochs, CancellationToken cancellationToken)
    {
        try
        {
            await folder.RemoveBeforeAsync(epoch, epochs, cancellationToken);
        }
        catch (ObjectStoreException)
        {
            // The next holder removes them.
        }
    }

    private LeaseRefusal? Judge(FoundLease found)
    {
        if (found.Holder?.Session == session || (found.Beat is { Released: true } beat && beat.Session == found.Holder?.Session))
        {
            return null;
        }

        if (found.Holder is { } holder && isAlive(holder.Process) is { } alive)
        {
            return alive ? new LeaseRefusal(Sentence(found), IsAlive: true) { Epoch = found.Epoch } : null;
        }

        var beats = found.Beat?.Count ?? -1;
        if (sighting is null || sighting.Epoch != found.Epoch || sighting.Beats != beats)
        {
            sighting = new Sighting(found.Epoch, beats, clock.GetTimestamp(), HasBeaten: sighting?.Epoch == found.Epoch);
        }

        var lapse = found.Holder?.LapsesAfter is { } its && its > timing.Lapse ? its : timing.Lapse;
        var silent = clock.GetElapsedTime(sighting.Since);
        return silent >= lapse ? null : new LeaseRefusal(Sentence(found), sighting.HasBeaten) { Epoch = found.Epoch };
    }

    private string Sentence(FoundLease found)
    {
        var who = found.Holder is { } holder
            ? $"{holder.Instance} on {holder.Machine}, process {holder.Process.ProcessId}, since {holder.AcquiredAt:u}"
            : $"its lease {found.Epoch:x16} is damaged";
        return $"Another agent ({who}) writes the archive of {folder.Source} in {folder.StoreDescription}. Stop it, or give this one another Storage prefix.";
    }

    private LeaseDocument Document(ulong epoch) => new()
    {
        Source = folder.Source,
        Epoch = epoch,
        Session = session,
        Instance = agent.Instance,
        Machine = agent.Machine,
        Agent = BackupRepository.AgentVersion,
        Process = agent.Process,
        AcquiredAt = clock.GetUtcNow(),
        BeatEvery = timing.Beat,
        LapsesAfter = timing.Lapse,
    };

    /// <param name="Since">When this state was first seen, by the own clock.</param>
    /// <param name="HasBeaten">It has changed under our eyes: the holder lives.</param>
    private sealed record Sighting(ulong Epoch, long Beats, long Since, bool HasBeaten);
}
