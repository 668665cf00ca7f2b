using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace NLDS.BackupAgent.Testing.Crashes;

/// <summary>
/// Stands before every call by which a program changes files: lets them pass and counts them, and kills the program before the one that it was told. Calls of
/// the programs that it starts pass uncounted, also when it is dead.
/// </summary>
internal sealed partial class FileCallGate : IDisposable
{
    private const uint Receive = 0xc0502100; // SECCOMP_IOCTL_NOTIF_RECV
    private const uint Answer = 0xc0182101; // SECCOMP_IOCTL_NOTIF_SEND
    private const int GoOn = 1; // SECCOMP_USER_NOTIF_FLAG_CONTINUE
    private const short Readable = 1; // POLLIN
    private const int LongestPath = 4096;
    private const int PatienceMilliseconds = 200;

    private readonly int descriptor;
    private readonly int killAt;
    private readonly Thread keeper;
    private readonly Dictionary<int, int> processes = [];
    private readonly Lock turn = new();
    private volatile bool isOver;
    private volatile int agent;

    /// <param name="descriptor">Of the filter; closed with this.</param>
    /// <param name="killAt">The number of the call, from 1.</param>
    public FileCallGate(int descriptor, int killAt)
    {
        (this.descriptor, this.killAt) = (descriptor, killAt);
        keeper = new Thread(Keep) { IsBackground = true, Name = "file calls" };
        keeper.Start();
    }

    /// <summary>The program, which may come to another call before its first that changes a file.</summary>
    public void Guard(int process) => agent = process;

    /// <summary>How many calls the program came to.</summary>
    public int Calls { get; private set; }

    /// <summary>Before which it died; null when it ended before.</summary>
    public string? KilledBefore { get; private set; }

    /// <summary>Stands before another call of the program, such as one that a server's double was sent: that counts like those that change a file.</summary>
    /// <returns>False when the program is dead.</returns>
    public bool MayPass(string call) => MayPass(() => call);

    /// <summary>What else the program started must be gone, or its next call fails.</summary>
    public void Dispose()
    {
        isOver = true;
        keeper.Join();
        _ = Close(descriptor);
    }

    private void Keep()
    {
        var call = new byte[80]; // struct seccomp_notif
        var answer = new byte[24]; // struct seccomp_notif_resp
        while (!isOver)
        {
            var polled = new Polled { Descriptor = descriptor, Events = Readable };
            if (Poll(ref polled, 1, PatienceMilliseconds) <= 0)
            {
                continue;
            }

            if ((polled.Found & Readable) == 0)
            {
                return; // Nobody is left who could call.
            }

            Array.Clear(call);
            if (Control(descriptor, Receive, call) == 0 && MayPass(call))
            {
                Array.Clear(answer);
                call.AsSpan(0, 8).CopyTo(answer);
                BinaryPrimitives.WriteInt32LittleEndian(answer.AsSpan(20), GoOn);
                _ = Control(descriptor, Answer, answer);
            }
        }
    }

    private bool MayPass(byte[] call)
    {
        var thread = BinaryPrimitives.ReadInt32LittleEndian(call.AsSpan(8));
        var process = ProcessOf(thread);
        if (process == 0 || process == Environment.ProcessId)
        {
            return true;
        }

        // The first one is the program; others are its children.
        agent = agent == 0 ? process : agent;
        return process != agent || MayPass(Describe);

        string Describe()
        {
            var (name, path) = FileCalls.Describe(BinaryPrimitives.ReadInt32LittleEndian(call.AsSpan(16)));
            var argument = BinaryPrimitives.ReadInt64LittleEndian(call.AsSpan(32 + (8 * Math.Max(path, 0))));
            return $"{name} {(path >= 0 ? TextAt(thread, argument) : FileOf(thread, argument))}";
        }
    }

    private bool MayPass(Func<string> describe)
    {
        lock (turn)
        {
            if (KilledBefore is not null)
            {
                return false;
            }

            if (++Calls != killAt)
            {
                return true;
            }

            KilledBefore = describe();
            Signals.Send(agent, Signals.Kill);
            return false;
        }
    }

    private int ProcessOf(int thread)
    {
        if (!processes.TryGetValue(thread, out var process))
        {
            const string word = "Tgid:";
            try
            {
                var line = File.ReadLines($"/proc/{thread}/status").First(line => line.StartsWith(word, StringComparison.Ordinal));
                process = processes[thread] = int.Parse(line.AsSpan(word.Length), CultureInfo.InvariantCulture);
            }
            catch (IOException)
            {
                return 0; // It is gone.
            }
        }

        return process;
    }

    private static string TextAt(int thread, long address)
    {
        using var memory = File.OpenHandle($"/proc/{thread}/mem");
        var bytes = new byte[LongestPath];
        var read = RandomAccess.Read(memory, bytes, address);
        return Encoding.UTF8.GetString(bytes.AsSpan(0, Math.Max(0, bytes.AsSpan(0, read).IndexOf((byte)0))));
    }

    private static string FileOf(int thread, long number) => File.ResolveLinkTarget($"/proc/{thread}/fd/{(int)number}", returnFinalTarget: false)?.FullName ?? $"{number}";

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int Control(int descriptor, nuint request, [In, Out] byte[] argument);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int Poll(ref Polled polled, nuint count, int milliseconds);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);

    /// <summary>struct pollfd.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Polled
    {
        public int Descriptor;
        public short Events;
        public short Found;
    }
}
