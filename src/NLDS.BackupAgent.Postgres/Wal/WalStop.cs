namespace NLDS.BackupAgent.Postgres.Wal;

/// <summary>Where and why a scan ended.</summary>
internal readonly record struct WalStop(ulong Position, string Reason)
{
    public override string ToString() => $"{WalPosition.Format(Position)}: {Reason}";
}
