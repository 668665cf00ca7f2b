namespace NLDS.BackupAgent.Repository.Log;

/// <summary>
/// What the source said of its own end ("at 14:03:07 my log ended at 5A3C1F8"), kept until that much is durable; then everything up to 14:03:07 can be restored.
/// </summary>
internal sealed class ConfirmedMoments
{
    /// <summary>Enough for minutes of a store that does not answer; past it every second moment is forgotten, which only makes the claim more modest.</summary>
    private const int Capacity = 256;

    private readonly Lock gate = new();
    private readonly List<(ulong Position, DateTimeOffset AsOf)> waiting = [];
    private (ulong Position, DateTimeOffset AsOf)? reached;

    public void Add(ulong position, DateTimeOffset asOf)
    {
        lock (gate)
        {
            if (waiting.Count > 0 && waiting[^1].Position == position)
            {
                waiting[^1] = (position, asOf);
                return;
            }

            if (waiting.Count == Capacity)
            {
                var odd = false;
                waiting.RemoveAll(_ => odd = !odd);
            }

            waiting.Add((position, asOf));
        }
    }

    /// <summary>The newest moment whose end lies at or before <paramref name="position"/>; it never goes back.</summary>
    public DateTimeOffset? Reached(ulong position)
    {
        lock (gate)
        {
            var count = waiting.FindLastIndex(m => m.Position <= position) + 1;
            if (count > 0)
            {
                reached = waiting[count - 1];
                waiting.RemoveRange(0, count);
            }

            return reached?.AsOf;
        }
    }

    /// <summary>The newest moment at or before <paramref name="position"/>, without forgetting any.</summary>
    public DateTimeOffset? Peek(ulong position)
    {
        lock (gate)
        {
            var index = waiting.FindLastIndex(m => m.Position <= position);
            return index >= 0 ? waiting[index].AsOf : reached is { } r && r.Position <= position ? r.AsOf : null;
        }
    }
}
