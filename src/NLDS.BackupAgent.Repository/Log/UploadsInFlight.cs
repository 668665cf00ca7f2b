namespace NLDS.BackupAgent.Repository.Log;

/// <summary>
/// The uploads that run beside the writer's loop: one chunk and a few whole segments. Whatever the loop waits for here, it learns at once of the first upload
/// that failed, and it is woken when an upload has ended. For one caller.
/// </summary>
/// <param name="wake">Called after an upload has ended, well or not, on any thread.</param>
internal sealed class UploadsInFlight(Action wake)
{
    /// <summary>
    /// A put to a disk waits for two flushes, one to a store for a round trip, while the next segments are compressed. With two, catching up on a directory ran
    /// at three quarters of this speed; compressed segments are a few megabytes each.
    /// </summary>
    private const int SegmentsAtOnce = 4;

    private readonly TaskCompletionSource<Task> firstFailure = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<Task> segments = [];

    /// <summary>The newest chunk's upload.</summary>
    public Task Chunk { get; private set; } = Task.CompletedTask;

    /// <summary>Begins a chunk when the one before it has ended.</summary>
    public async Task BeginChunkAsync(Func<Task> upload)
    {
        await OrFirstFailureAsync(Chunk);
        Chunk = Run(upload);
    }

    /// <summary>Begins a segment when there is room for one.</summary>
    public async Task BeginSegmentAsync(Func<Task> upload)
    {
        segments.RemoveAll(t => t.IsCompletedSuccessfully);
        while (segments.Count >= SegmentsAtOnce)
        {
            await OrFirstFailureAsync(Task.WhenAny(segments));
            segments.RemoveAll(t => t.IsCompletedSuccessfully);
        }

        segments.Add(Run(upload));
    }

    /// <summary>Throws what the first failed upload threw; returns when none has failed so far.</summary>
    public Task ThrowIfAnyFailedAsync() => OrFirstFailureAsync(Task.CompletedTask);

    /// <summary>Waits until all have succeeded or one has failed.</summary>
    public Task AllSucceededAsync() => OrFirstFailureAsync(Task.WhenAll([Chunk, .. segments]));

    /// <summary>Waits until none runs any more, however each ended.</summary>
    public async Task AllEndedAsync() => await Task.WhenAll([Chunk, .. segments]).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    private async Task OrFirstFailureAsync(Task awaited)
    {
        await Task.WhenAny(awaited, firstFailure.Task);
        if (firstFailure.Task.IsCompleted)
        {
            await await firstFailure.Task;
        }

        await awaited;
    }

    private Task Run(Func<Task> upload)
    {
        var running = Task.Run(upload);

        // Behind the task, not inside it: a loop that was woken must find it ended.
        _ = running.ContinueWith(Ended, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return running;
    }

    private void Ended(Task upload)
    {
        if (!upload.IsCompletedSuccessfully)
        {
            firstFailure.TrySetResult(upload);
        }

        wake();
    }
}
