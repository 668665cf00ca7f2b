using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Log;

/// <summary>
/// How far the unencrypted part of a log reaches: written once, by the first writer that has a key. Without it, whoever can write to the store could prolong the log
/// by pieces that say of themselves that they are from before the key.
/// </summary>
internal sealed class PlainReach(DocumentStore documents, ObjectKey name)
{
    private volatile PlainEnds? known;

    public async Task<bool> IsRecordedAsync(CancellationToken cancellationToken) => await FindAsync(cancellationToken) is not null;

    /// <param name="plain">All unencrypted pieces of the log.</param>
    public async Task RecordAsync(IEnumerable<LogPiece> plain, CancellationToken cancellationToken)
    {
        var ends = plain.GroupBy(piece => piece.Lineage).OrderBy(lineage => lineage.Key, StringComparer.Ordinal)
            .ToDictionary(lineage => lineage.Key, lineage => lineage.Max(piece => piece.Range.End));
        await documents.PutAsync(name, new PlainEnds(ends), LogJson.Default.PlainEnds, Protection.Locked, cancellationToken);
    }

    /// <summary>Parts what may be relied on from unencrypted pieces that were not there when encryption was turned on.</summary>
    /// <exception cref="NotRestorableException">There are unencrypted pieces, and nobody with the key says how far they may reach.</exception>
    public async Task<(IReadOnlyList<LogPiece> Believed, IReadOnlyList<LogPiece> Strange)> PartAsync(
        IReadOnlyList<LogPiece> pieces, CancellationToken cancellationToken)
    {
        if (documents.Keys.Writing is null || pieces.FirstOrDefault(piece => !piece.IsEncrypted) is not { } plain)
        {
            return (pieces, []);
        }

        var reach = await FindAsync(cancellationToken)
            ?? throw new NotRestorableException(
                $"'{plain.Key}' is not encrypted, and '{name}', which would say that it is from before encryption was turned on, is missing. "
                + "The agent writes it when it is started with Repository:Encryption:Key.");
        var parted = pieces.ToLookup(piece => piece.IsEncrypted || piece.Range.End <= reach.Ends.GetValueOrDefault(piece.Lineage));
        return ([.. parted[true]], [.. parted[false]]);
    }

    private async Task<PlainEnds?> FindAsync(CancellationToken cancellationToken) =>
        known ??= await documents.FindAsync(name, LogJson.Default.PlainEnds, cancellationToken);
}

/// <summary>Where the unencrypted pieces of each lineage end.</summary>
internal sealed record PlainEnds(IReadOnlyDictionary<string, ulong> Ends);
