namespace NLDS.BackupAgent.Storage;

/// <summary>
/// The large buffers of all readers and writers of objects in the process. <see cref="System.Buffers.ArrayPool{T}.Shared"/> keeps one of each size for every thread that ever
/// returned one and rounds 5 MiB up to 8; with parts that cost 60 MB. Here they are of exact size and shared by all threads. Those that are kept weakly are gone with the
/// next full collection, and as large as they are each new one brings that nearer: under load the collector then holds three times what is in use.
/// </summary>
/// <param name="keptBytes">What is kept while nobody uses it; those that were returned longest ago go first.</param>
public sealed class PartBuffers(int keptBytes)
{
    private readonly Lock gate = new();
    private readonly List<byte[]> free = [];
    private long freeBytes;

    /// <summary>Keeps as many as a log that catches up uses in turn.</summary>
    public static PartBuffers Shared { get; } = new(24 << 20);

    /// <returns>Of exactly this length, with whatever is in it.</returns>
    public byte[] Rent(int bytes)
    {
        lock (gate)
        {
            var newest = free.FindLastIndex(buffer => buffer.Length == bytes);
            if (newest >= 0)
            {
                var buffer = free[newest];
                free.RemoveAt(newest);
                freeBytes -= bytes;
                return buffer;
            }
        }

        return GC.AllocateUninitializedArray<byte>(bytes);
    }

    public void Return(byte[] buffer)
    {
        if (buffer.Length == 0)
        {
            return;
        }

        lock (gate)
        {
            free.Add(buffer);
            freeBytes += buffer.Length;
            while (freeBytes > keptBytes)
            {
                freeBytes -= free[0].Length;
                free.RemoveAt(0);
            }
        }
    }

    /// <summary>Lets go of all that nobody uses.</summary>
    public void Trim()
    {
        lock (gate)
        {
            free.Clear();
            freeBytes = 0;
        }
    }
}
