namespace NLDS.BackupAgent.Repository.Log;

/// <summary>
/// What the source said of its own end ("at 14:03:07 my log ended at 5A3C1F8"), kept until that much is durable; then everything up to 14:03:07 can be restored.
/// Moments are kept a spacing apart, so that thousands of messages a second cost no memory; a store that does not answer makes the spacing grow.
/// </summary>
internal sealed class ConfirmedMoments
{
    private const int Capacity = 256;
    private static readonly TimeSpan SmallestSpacing = TimeSpan.FromMilliseconds(50);

    private readonly Lock gate = new();
    private readonly List<(ulong Position, DateTimeOffset AsOf)> waiting = [];
    private (ulong Position, DateTimeOffset AsOf)? reached;
    private TimeSpan spacing = SmallestSpacing;

    public void Add(ulong position, DateTimeOffset asOf)
    {
        lock (gate)
        {
            // A clock that was set back, or an end that went back, says nothing new.
            var (lastPosition, lastAsOf) = waiting.Count > 0 ? waiting[^1] : reached ?? default;
            if (asOf < lastAsOf || position < lastPosition)
            {
                return;
            }

            // The newest is replaced until it stands far enough behind the one before it; at the same position a later time is simply better.
            if (waiting.Count > 0 && (waiting[^1].Position == position || (waiting.Count > 1 && waiting[^1].AsOf - waiting[^2].AsOf < spacing)))
            {
                waiting[^1] = (position, asOf);
                return;
            }

            if (waiting.Count == Capacity)
            {
                var odd = false;
                waiting.RemoveAll(_ => odd = !odd);
                spacing *= 2;
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
                spacing = waiting.Count == 0 ? SmallestSpacing : spacing;
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
