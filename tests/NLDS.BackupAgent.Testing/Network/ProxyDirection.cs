namespace NLDS.BackupAgent.Testing;

/// <summary>What happens to the bytes that go one way through a <see cref="TcpProxy"/>.</summary>
public sealed class ProxyDirection
{
    private readonly Lock gate = new();
    private TaskCompletionSource? stalled;
    private TimeSpan delay;
    private long forwarded;
    private long? leftBeforeCut;

    /// <summary>Bytes that went through.</summary>
    public long BytesForwarded => Interlocked.Read(ref forwarded);

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
            leftBeforeCut = bytes;
        }
    }

    /// <summary>How many of these bytes still pass; fewer than all mean that the connection ends behind them.</summary>
    internal int Allow(int bytes)
    {
        lock (gate)
        {
            if (leftBeforeCut is not { } left)
            {
                return bytes;
            }

            leftBeforeCut = bytes < left ? left - bytes : null;
            return bytes < left ? bytes : (int)left;
        }
    }

    /// <summary>Waits until a piece may pass.</summary>
    internal async Task PassAsync(int bytes, CancellationToken cancellationToken)
    {
        Task? open;
        TimeSpan wait;
        lock (gate)
        {
            (open, wait) = (stalled?.Task, delay);
        }

        if (wait > TimeSpan.Zero)
        {
            await Task.Delay(wait, TimeProvider.System, cancellationToken);
        }

        if (open is not null)
        {
            await open.WaitAsync(cancellationToken);
        }

        Interlocked.Add(ref forwarded, bytes);
    }
}
