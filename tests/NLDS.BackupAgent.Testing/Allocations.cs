namespace NLDS.BackupAgent.Testing;

/// <summary>What something allocates.</summary>
public static class Allocations
{
    /// <summary>
    /// The bytes that this thread allocates until a task that never waits has ended, well or not. Nothing is awaited in between: what comes behind an await may run on
    /// another thread, whose count is another one.
    /// </summary>
    public static long OfEnded(Func<Task> start)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        var task = start();
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        return task.IsCompleted ? allocated : throw new InvalidOperationException("The task waits for something: what it allocates cannot be told.");
    }
}
