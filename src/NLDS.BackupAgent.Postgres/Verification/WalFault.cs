using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Log;

namespace NLDS.BackupAgent.Postgres.Verification;

/// <summary>WAL that recovery cannot read: it is missing, or what holds it is damaged.</summary>
/// <param name="Subject">The object, or the range in words.</param>
/// <param name="What">What is wrong with it.</param>
/// <param name="Lineage">The timeline, as the archive names it.</param>
internal sealed record WalFault(string Subject, string What, string Lineage, LogRange Range)
{
    public static WalFault Missing(string lineage, ulong from, ulong to, string what) => new(
        $"WAL from {new Lsn(from)} to {new Lsn(to)} on timeline {WalNaming.Timeline(lineage)}", what, lineage, new LogRange(from, to));
}
