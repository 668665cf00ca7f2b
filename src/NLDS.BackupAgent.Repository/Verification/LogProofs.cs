using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Verification;

/// <summary>The registers that tell which segments of a source's log were read back: <c>SOURCE/verified/LINEAGE.json</c>.</summary>
internal sealed class LogProofs(BackupRepository repository, string source)
{
    /// <summary>What one lineage's register says; nothing when there is none. One that is damaged is named and counts as none.</summary>
    public async Task<ProvenRanges> ReadAsync(string lineage, VerificationRun run, CancellationToken cancellationToken)
    {
        try
        {
            var proof = await repository.Documents.FindRegisterAsync(Key(lineage), ProofJson.Default.LogProof, cancellationToken);
            if (proof is null || (proof.Lineage == lineage && proof.Source == source))
            {
                return new ProvenRanges(proof?.Ranges ?? []);
            }

            run.Add(new DamageFinding(Key(lineage).Value, "is the register of another line of history", Cost));
        }
        catch (NotRestorableException damage)
        {
            run.Add(new DamageFinding(Key(lineage).Value, damage.Message, Cost));
        }

        return new ProvenRanges([]);
    }

    /// <summary>As for a backup's proof: one that cannot be stored costs a second reading and nothing else.</summary>
    public async Task WriteAsync(string lineage, ProvenRanges proven, VerificationRun run, CancellationToken cancellationToken)
    {
        try
        {
            await repository.Documents.ReplaceAsync(
                Key(lineage), new LogProof(source, lineage, BackupRepository.AgentVersion, proven.Ranges), ProofJson.Default.LogProof, cancellationToken);
        }
        catch (ObjectStoreException failure)
        {
            run.Note($"What is sound of the log on {lineage} could not be remembered: {failure.Message}");
        }
    }

    private const string Cost = "no restore needs it; what it told of is read again, and it is written anew";

    private ObjectKey Key(string lineage) => new($"{source}/verified/{lineage}.json");
}
