using System.Text;

namespace NLDS.BackupAgent.Output;

/// <summary>Writes through the scrubber. Callers write whole words at a time; a secret split over two calls is not recognised.</summary>
internal sealed class ScrubbingWriter(TextWriter inner, SecretScrubber scrubber) : TextWriter
{
    private readonly Lock gate = new();

    public override Encoding Encoding => inner.Encoding;

    public override void Write(char value)
    {
        lock (gate)
        {
            inner.Write(value);
        }
    }

    public override void Write(char[] buffer, int index, int count) => Write(new string(buffer, index, count));

    public override void Write(ReadOnlySpan<char> buffer) => Write(new string(buffer));

    public override void Write(string? value)
    {
        lock (gate)
        {
            inner.Write(value is null ? null : scrubber.Scrub(value));
        }
    }

    public override void WriteLine(string? value) => Write(value + NewLine);

    public override void Flush() => inner.Flush();
}
