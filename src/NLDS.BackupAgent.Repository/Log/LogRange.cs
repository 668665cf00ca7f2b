namespace NLDS.BackupAgent.Repository.Log;

/// <summary>The bytes of a log from <paramref name="Start"/> up to, and without, <paramref name="End"/>.</summary>
public readonly record struct LogRange(ulong Start, ulong End)
{
    public ulong Length => End - Start;

    public bool Contains(ulong position) => Start <= position && position < End;
}
