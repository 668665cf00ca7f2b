namespace NLDS.BackupAgent.Postgres.Tests.Retention;

/// <summary>The machine's clock, set ahead: days pass between two backups, while servers and timers live in the present.</summary>
internal sealed class ShiftedClock : TimeProvider
{
    public TimeSpan Ahead { get; set; }

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Ahead;
}
