using System.Runtime.CompilerServices;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Encryption;

/// <summary>The encryption's part of <c>check</c>: is it on, with which key, and can everything be read that is there?</summary>
internal sealed class EncryptionCheck(IObjectStore store, Keyring keys) : IRepositoryCheck
{
    private const string Subject = "key";

    public string Name => "encryption";

    public async IAsyncEnumerable<CheckFinding> CheckAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        IReadOnlyList<CheckFinding> findings;
        try
        {
            findings = await FindAsync(cancellationToken);
        }
        catch (Exception failure) when (failure is ObjectStoreException or NotRestorableException)
        {
            findings = [new CheckFinding(Subject, CheckVerdict.Fault, failure.Message)];
        }

        foreach (var finding in findings)
        {
            yield return finding;
        }
    }

    private async Task<IReadOnlyList<CheckFinding>> FindAsync(CancellationToken cancellationToken)
    {
        var register = new KeyRegister(store, keys);
        if (await register.FindStrangenessAsync(cancellationToken) is { } strange)
        {
            return [new CheckFinding(Subject, CheckVerdict.Fault, strange)];
        }

        if (keys.Writing is not { } writing)
        {
            return [new CheckFinding(Subject, CheckVerdict.Good, "none is configured: whoever can read the store can read the backups. Repository:Encryption:Key turns encryption on.")];
        }

        var used = await register.FindAsync(writing, cancellationToken);
        List<CheckFinding> findings =
        [
            new CheckFinding(
                Subject,
                CheckVerdict.Good,
                used is null
                    ? $"{writing.Id} will encrypt from the first write on. Keep a copy of it away from this machine: without it the backups are lost."
                    : $"{writing.Id} encrypts since {used.Created.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC, and its check value is right."),
        ];
        var missing = (await register.ListAsync(cancellationToken)).Where(id => keys.Find(id) is null).ToList();
        if (missing.Count > 0)
        {
            findings.Add(new CheckFinding(
                "older keys",
                CheckVerdict.Warning,
                $"{string.Join(", ", missing)} wrote here and {(missing.Count == 1 ? "is" : "are")} not configured: what {(missing.Count == 1 ? "it" : "they")} encrypted cannot be read."));
        }

        return findings;
    }
}
