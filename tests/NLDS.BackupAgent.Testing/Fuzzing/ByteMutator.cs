using System.Buffers.Binary;
using System.Text;

namespace NLDS.BackupAgent.Testing.Fuzzing;

/// <summary>Makes hostile bytes of sound ones: flips, cuts, extremes in the places of numbers and lengths, splices, repetitions, nests, and now and then noise.</summary>
/// <param name="samples">Sound inputs.</param>
/// <param name="words">What the format is made of: magic numbers, brackets, keywords.</param>
public sealed class ByteMutator(IReadOnlyList<byte[]> samples, IReadOnlyList<byte[]> words)
{
    private const int MostChanges = 4;
    private const int LargestInput = 256 << 10;

    private static readonly long[] Extremes =
        [0, 1, -1, 7, 127, 128, 255, 256, 32767, 32768, 65535, 65536, int.MaxValue, int.MinValue, 1L << 31, uint.MaxValue, 1L << 32, long.MaxValue, long.MinValue, 1L << 40];

    private static readonly byte[][] Digits =
        [.. new[] { "0", "-1", "", "1", "9", "007", "2147483647", "2147483648", "-2147483649", "9223372036854775807", "99999999999999999999", "1e999", "NaN" }.Select(Encoding.ASCII.GetBytes)];

    public byte[] Next(Random random)
    {
        if (random.Next(20) == 0)
        {
            return Noise(random, random.Next(600));
        }

        var bytes = samples[random.Next(samples.Count)];
        for (var changes = random.Next(1, MostChanges + 1); changes > 0; changes--)
        {
            bytes = Change(random, bytes);
        }

        return bytes.Length <= LargestInput ? bytes : bytes[..LargestInput];
    }

    private byte[] Change(Random random, byte[] bytes)
    {
        var at = random.Next(bytes.Length + 1);
        return random.Next(12) switch
        {
            0 => bytes[..at],
            1 => [.. bytes, .. Noise(random, random.Next(64))],
            2 => Without(bytes, at, random.Next(1, 64)),
            3 => [.. bytes[..at], .. Other(random)[^random.Next(1, 200)..], .. bytes[at..]],
            4 => [.. bytes[..at], .. Tail(random)],
            5 => Repeat(random, bytes, at),
            6 => WithDigits(random, bytes),
            7 or 8 => WithExtreme(random, bytes, at),
            9 when words.Count > 0 => WithWord(random, bytes, at),
            10 => Nest(random, bytes, at),
            _ => Flip(random, bytes),
        };
    }

    private byte[] Other(Random random)
    {
        var other = samples[random.Next(samples.Count)];
        return other.Length >= 200 ? other : [.. other, .. new byte[200]];
    }

    private byte[] Tail(Random random)
    {
        var other = samples[random.Next(samples.Count)];
        return other[random.Next(other.Length + 1)..];
    }

    private static byte[] Noise(Random random, int count)
    {
        var noise = new byte[count];
        random.NextBytes(noise);
        return noise;
    }

    private static byte[] Flip(Random random, byte[] bytes)
    {
        if (bytes.Length == 0)
        {
            return bytes;
        }

        byte[] changed = [.. bytes];
        changed[random.Next(changed.Length)] ^= (byte)(1 << random.Next(8));
        return changed;
    }

    private static byte[] Without(byte[] bytes, int at, int count) => [.. bytes[..at], .. bytes[Math.Min(bytes.Length, at + count)..]];

    /// <summary>A stretch, some or very many times.</summary>
    private static byte[] Repeat(Random random, byte[] bytes, int at)
    {
        var stretch = bytes[at..Math.Min(bytes.Length, at + random.Next(1, 32))];
        var times = random.Next(8) == 0 ? 20_000 : random.Next(1, 20);
        return stretch.Length == 0 ? bytes : [.. bytes[..at], .. Enumerable.Repeat(stretch, Math.Min(times, LargestInput / stretch.Length)).SelectMany(s => s), .. bytes[at..]];
    }

    private static byte[] WithExtreme(Random random, byte[] bytes, int at)
    {
        var number = new byte[8];
        var width = 1 << random.Next(4);
        var extreme = Extremes[random.Next(Extremes.Length)];
        if (random.Next(2) == 0)
        {
            BinaryPrimitives.WriteInt64LittleEndian(number, extreme);
            number = number[..width];
        }
        else
        {
            BinaryPrimitives.WriteInt64BigEndian(number, extreme);
            number = number[^width..];
        }

        byte[] changed = [.. bytes];
        number.AsSpan(0, Math.Min(width, bytes.Length - at)).CopyTo(changed.AsSpan(at));
        return changed;
    }

    private static byte[] WithDigits(Random random, byte[] bytes)
    {
        var from = random.Next(bytes.Length + 1);
        var start = bytes.AsSpan(from).IndexOfAnyInRange((byte)'0', (byte)'9');
        if (start < 0)
        {
            return bytes;
        }

        start += from;
        var end = start;
        while (end < bytes.Length && bytes[end] is >= (byte)'0' and <= (byte)'9')
        {
            end++;
        }

        return [.. bytes[..start], .. Digits[random.Next(Digits.Length)], .. bytes[end..]];
    }

    private byte[] WithWord(Random random, byte[] bytes, int at)
    {
        var word = words[random.Next(words.Count)];
        return [.. bytes[..at], .. word, .. bytes[(random.Next(2) == 0 ? at : Math.Min(bytes.Length, at + word.Length))..]];
    }

    /// <summary>The same word again and again, deeper than any stack.</summary>
    private byte[] Nest(Random random, byte[] bytes, int at)
    {
        var word = words.Count > 0 ? words[random.Next(words.Count)] : bytes[at..Math.Min(bytes.Length, at + 1)];
        var times = random.Next(6) == 0 ? LargestInput / Math.Max(1, word.Length) : random.Next(200);
        return [.. bytes[..at], .. Enumerable.Repeat(word, times).SelectMany(w => w), .. bytes[at..]];
    }
}
