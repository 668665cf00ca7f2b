namespace NLDS.BackupAgent.Testing;

/// <summary>What happens to the bytes that go one way through a <see cref="TcpProxy"/>.</summary>
public sealed class ProxyDirection
{
    private readonly Lock gate = new();
    private TaskCompletionSource? stalled;
    private TimeSpan delay;
    private long forwarded;
    private long? leftBeforeCut;
    private long? leftBeforeStall;
    private bool dribbles;
    private bool endsQuietly;

    /// <summary>Bytes that went through.</summary>
    public long BytesForwarded => Interlocked.Read(ref forwarded);

    /// <summary>Asked before each piece: one that may not pass breaks its connection off.</summary>
    public Func<bool> MayPass { get; set; } = () => true;

    /// <summary>Nothing goes through any more, and the connection stays open, as when a machine hangs.</summary>
    public void Stall()
    {
        lock (gate)
        {
            stalled ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    /// <summary>Ends <see cref="Stall"/>; what was held back goes through.</summary>
    public void Resume()
    {
        lock (gate)
        {
            stalled?.SetResult();
            stalled = null;
        }
    }

    /// <summary>Holds every piece back for so long; zero ends it.</summary>
    public void Delay(TimeSpan by)
    {
        lock (gate)
        {
            delay = by;
        }
    }

    /// <summary>So many bytes more, and the connection that carries the last of them is reset; those that come later are not.</summary>
    public void CutAfter(long bytes)
    {
        lock (gate)
        {
            (leftBeforeCut, endsQuietly) = (bytes, false);
        }
    }

    /// <summary>
    /// So many bytes more, and the connection that carries the last of them ends this way in good order, as far as TCP can tell: what it carries, TLS too, is cut off without
    /// a goodbye of its own.
    /// </summary>
    public void EndAfter(long bytes)
    {
        lock (gate)
        {
            (leftBeforeCut, endsQuietly) = (bytes, true);
        }
    }

    /// <summary>So many bytes more, and the connection that carries the last of them stays open and carries nothing more; those that come later do.</summary>
    public void StallAfter(long bytes)
    {
        lock (gate)
        {
            leftBeforeStall = bytes;
        }
    }

    /// <summary>Lets the bytes through one at a time, each a packet of its own.</summary>
    public void Dribble(bool isOn = true)
    {
        lock (gate)
        {
            dribbles = isOn;
        }
    }

    /// <summary>How many of these bytes may go in one piece now.</summary>
    internal int Piece(int bytes)
    {
        lock (gate)
        {
            return dribbles ? Math.Min(bytes, 1) : leftBeforeStall is { } left ? (int)Math.Clamp(left, 1, bytes) : bytes;
        }
    }

    /// <summary>How many of these bytes still pass; fewer than all mean that the connection ends behind them.</summary>
    internal (int Bytes, bool EndsQuietly) Allow(int bytes)
    {
        lock (gate)
        {
            if (leftBeforeCut is not { } left)
            {
                return (bytes, false);
            }

            leftBeforeCut = bytes < left ? left - bytes : null;
            return (bytes < left ? bytes : (int)left, endsQuietly);
        }
    }

    /// <summary>Waits until a piece may pass.</summary>
    internal async Task PassAsync(int bytes, CancellationToken cancellationToken)
    {
        Task? open;
        TimeSpan wait;
        var forEver = false;
        lock (gate)
        {
            if (leftBeforeStall is { } left)
            {
                forEver = left <= 0;
                leftBeforeStall = forEver ? null : left - bytes;
            }

            (open, wait) = (stalled?.Task, delay);
        }

        if (forEver)
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
        }

        if (wait > TimeSpan.Zero)
        {
            await Task.Delay(wait, TimeProvider.System, cancellationToken);
        }

        if (open is not null)
        {
            await open.WaitAsync(cancellationToken);
        }

        if (!MayPass())
        {
            throw new OperationCanceledException("It may not pass.");
        }

        Interlocked.Add(ref forwarded, bytes);
    }
}
