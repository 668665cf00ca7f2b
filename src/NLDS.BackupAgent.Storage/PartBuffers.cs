namespace NLDS.BackupAgent.Storage;

/// <summary>
/// The buffers of all object writers of the process. <see cref="System.Buffers.ArrayPool{T}.Shared"/> keeps one of each size for every thread that ever
/// returned one and rounds 5 MiB up to 8; with parts that cost 60 MB. Here they are of exact size, shared by all threads, and held weakly: an idle agent
/// gives them back at its next full collection.
/// </summary>
internal static class PartBuffers
{
    private static readonly Lock Gate = new();
    private static readonly List<WeakReference<byte[]>> Free = [];

    public static byte[] Rent(int bytes)
    {
        lock (Gate)
        {
            for (var i = Free.Count - 1; i >= 0; i--)
            {
                if (!Free[i].TryGetTarget(out var buffer))
                {
                    Free.RemoveAt(i);
                }
                else if (buffer.Length == bytes)
                {
                    Free.RemoveAt(i);
                    return buffer;
                }
            }
        }

        return GC.AllocateUninitializedArray<byte>(bytes);
    }

    public static void Return(byte[] buffer)
    {
        if (buffer.Length > 0)
        {
            lock (Gate)
            {
                Free.Add(new WeakReference<byte[]>(buffer));
            }
        }
    }
}
