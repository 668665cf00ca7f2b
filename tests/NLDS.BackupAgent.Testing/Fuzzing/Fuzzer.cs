using System.Globalization;
using System.Text;

namespace NLDS.BackupAgent.Testing.Fuzzing;

/// <summary>
/// Gives hostile inputs to a parser and judges what it does: it may read an input or refuse it in its own words, and nothing else. Not end with another exception, not
/// allocate out of proportion to the input, not need a deep stack, not go on for ever. What it fails on is made smaller before it is shown.
/// </summary>
/// <param name="parser">For messages.</param>
/// <param name="next">Makes an input.</param>
/// <param name="parse">Gives it to the parser, on this thread to its end.</param>
/// <param name="isRefusal">Whether the parser's documentation names this exception.</param>
public sealed class Fuzzer(string parser, Func<Random, byte[]> next, Action<FuzzInput> parse, Func<Exception, bool> isRefusal)
{
    /// <summary>The stack of a thread of some containers (musl) is 128 KiB; .NET itself needs some of this.</summary>
    private const int StackBytes = 512 << 10;

    private const int MostAttempts = 2_000;

    /// <summary>One input takes microseconds. A machine that stalls this long is no machine to test on.</summary>
    private static readonly TimeSpan Hang = TimeSpan.FromMinutes(2);

    private byte[] current = [];

    /// <summary>Buffers of a fixed size, and what exceptions cost.</summary>
    public long BaseBytes { get; init; } = 2 << 20;

    /// <summary>What each byte of an input may make a parser allocate, garbage included.</summary>
    public long BytesPerByte { get; init; } = 400;

    /// <param name="usualRounds">Without <c>FUZZ_ROUNDS</c>.</param>
    public void Run(int usualRounds)
    {
        Exception? found = null;
        var thread = new Thread(() => found = Catch(() => RunHere(FuzzSettings.Rounds(usualRounds))), StackBytes) { IsBackground = true };
        thread.Start();
        if (!thread.Join(Hang + (TimeSpan.FromMilliseconds(20) * FuzzSettings.Rounds(usualRounds))))
        {
            throw new FuzzException($"{parser} hangs on {Show(current)}");
        }

        if (found is not null)
        {
            throw new FuzzException(found.Message, found.InnerException);
        }
    }

    /// <summary>What a parser did with an input that it must not do; null when it was right.</summary>
    public string? FindFault(byte[] bytes, int seed) => FindFailure(bytes, seed, out _);

    private void RunHere(int rounds)
    {
        FindFailure([], 0, out _);
        for (var round = 0; round < rounds; round++)
        {
            var seed = HashCode(FuzzSettings.Seed, round);
            current = next(new Random(seed));
            if (FindFailure(current, seed, out var failure) is { } fault)
            {
                var smallest = Shrink(current, seed, KindOf(fault));
                throw new FuzzException(
                    string.Create(CultureInfo.InvariantCulture, $"{parser} {fault}\nFUZZ_SEED={FuzzSettings.Seed}, round {round}, seed {seed}, {smallest.Length} bytes: {Show(smallest)}\n{Words(failure)}"), failure);
            }
        }
    }

    private string? FindFailure(byte[] bytes, int seed, out Exception? failure)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        failure = Catch(() => parse(new FuzzInput(bytes, seed)));
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        return failure is not null && (failure is FuzzException || !isRefusal(failure)) ? $"ended with {failure.GetType().Name}: {failure.Message}"
            : allocated > BaseBytes + (bytes.Length * BytesPerByte) ? $"allocated too much: {allocated} bytes for {bytes.Length}"
            : null;
    }

    /// <summary>Takes out what is not needed to fail in the same way.</summary>
    private byte[] Shrink(byte[] bytes, int seed, string kind)
    {
        var attempts = 0;
        for (var size = Math.Max(1, bytes.Length / 2); attempts < MostAttempts; size /= 2)
        {
            for (var at = 0; at < bytes.Length && attempts++ < MostAttempts;)
            {
                byte[] candidate = [.. bytes[..at], .. bytes[Math.Min(bytes.Length, at + size)..]];
                if (FindFailure(candidate, seed, out _) is { } fault && KindOf(fault) == kind)
                {
                    bytes = candidate;
                }
                else
                {
                    at += size;
                }
            }

            if (size <= 1)
            {
                break;
            }
        }

        return bytes;
    }

    private static string KindOf(string fault) => fault.Split(':')[0];

    private static Exception? Catch(Action action)
    {
        try
        {
            action();
            return null;
        }
        catch (Exception any)
        {
            return any;
        }
    }

    /// <summary>What it was and where it came from; the rest of the way is the parser's and this class's.</summary>
    private static string Words(Exception? failure) => failure is null ? "" : string.Join('\n', failure.ToString().Split('\n').Take(8));

    private static string Show(byte[] bytes)
    {
        var shown = bytes.Length > 400 ? bytes[..400] : bytes;
        var isText = shown.All(b => b is >= 0x20 and < 0x7f or (byte)'\n' or (byte)'\r' or (byte)'\t');
        return (isText ? $"'{Encoding.ASCII.GetString(shown)}'" : Convert.ToHexString(shown)) + (bytes.Length > shown.Length ? "…" : "");
    }

    private static int HashCode(int seed, int round) => unchecked((seed * 486187739) ^ (round * 16777619));
}
