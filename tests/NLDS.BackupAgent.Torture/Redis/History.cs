namespace NLDS.BackupAgent.Torture.Redis;

/// <summary>A second of the clock behind all that was confirmed by then and before anything else was written.</summary>
internal sealed record QuietMoment(DateTimeOffset Time, Content Content);

/// <summary>What was written in which order: each state of the data since the last one that WAIT confirmed. Written by the writer, read by who checks.</summary>
internal sealed class History
{
    private readonly Lock gate = new();
    private readonly List<Content> states = [];
    private readonly List<QuietMoment> moments = [];
    private Operation? underWay;
    private bool isConfirmed;
    private long confirmations;

    public long Confirmations
    {
        get
        {
            lock (gate)
            {
                return confirmations;
            }
        }
    }

    public IReadOnlyList<QuietMoment> Moments
    {
        get
        {
            lock (gate)
            {
                return [.. moments];
            }
        }
    }

    public Content Newest
    {
        get
        {
            lock (gate)
            {
                return states[^1];
            }
        }
    }

    /// <summary>The server is as it is now, whatever it was before; nothing of it is confirmed.</summary>
    public void BeginWith(Content content)
    {
        lock (gate)
        {
            (underWay, isConfirmed) = (null, false);
            states.Clear();
            states.Add(content);
        }
    }

    public void Send(Operation operation)
    {
        lock (gate)
        {
            underWay = operation;
        }
    }

    public void Became(Content content)
    {
        lock (gate)
        {
            underWay = null;
            states.Add(content);
        }
    }

    /// <summary>WAIT said that everything up to now is in the repository.</summary>
    public void Confirm()
    {
        lock (gate)
        {
            states.RemoveRange(0, states.Count - 1);
            isConfirmed = true;
            confirmations++;
        }
    }

    public void Note(QuietMoment moment)
    {
        lock (gate)
        {
            moments.Add(moment);
        }
    }

    /// <summary>
    /// Whether a content can be what there was between the last confirmation and now: one of the states since then, or the last one with an operation carried out whose
    /// answer never came. Of that one the keys that it touches are not looked at.
    /// </summary>
    /// <returns>Null when it can; otherwise in what it differs from the nearest state.</returns>
    public string? Contradiction(Content found, long readUntil)
    {
        lock (gate)
        {
            if (!isConfirmed)
            {
                return null;
            }

            List<string> differences = [];
            foreach (var state in states)
            {
                if (state.DifferenceTo(found, readUntil, new HashSet<Key>()) is not { } difference)
                {
                    return null;
                }

                differences.Add(difference);
            }

            if (underWay is { } operation)
            {
                if (operation.Touched is not { } touched
                    || states[^1].DifferenceTo(operation.ChangesFunctions ? found with { Functions = states[^1].Functions } : found, readUntil, touched) is not { } difference)
                {
                    return null;
                }

                differences.Add(difference);
            }

            return $"it is none of the {differences.Count} states since the last confirmation. Of the first {differences[0]}; of the last {differences[^1]}";
        }
    }
}
