namespace NLDS.BackupAgent.Repository.Log;

/// <summary>
/// The end of the longest contiguous durable prefix, while uploads finish in any order. It only ever grows, and never past a hole: what is acknowledged to a
/// server comes from here and from nowhere else.
/// </summary>
internal sealed class ContiguousFrontier(ulong start)
{
    private readonly Lock gate = new();
    private readonly List<LogRange> ahead = [];
    private ulong position = start;

    public ulong Position => Volatile.Read(ref position);

    /// <summary>Notes that a range is durable and returns the position that everything before is durable.</summary>
    public ulong Add(LogRange range)
    {
        lock (gate)
        {
            ahead.Add(range);
            bool grew;
            do
            {
                grew = false;
                foreach (var candidate in ahead)
                {
                    if (candidate.Start <= position && candidate.End > position)
                    {
                        Volatile.Write(ref position, candidate.End);
                        grew = true;
                    }
                }
            }
            while (grew);
            ahead.RemoveAll(r => r.End <= position);
            return position;
        }
    }
}
