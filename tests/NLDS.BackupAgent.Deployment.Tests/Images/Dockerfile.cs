using System.Text.RegularExpressions;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Deployment.Tests.Images;

/// <summary>The instructions of one stage of the shipped Dockerfile, each on one line.</summary>
internal sealed partial class Dockerfile(IReadOnlyList<string> instructions)
{
    public static Dockerfile Stage(string name)
    {
        var lines = Continued().Replace(Comment().Replace(File.ReadAllText(Path.Combine(Checkout.Root, "Dockerfile")), ""), " ").Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return new Dockerfile([.. lines.SkipWhile(line => !line.StartsWith("FROM ", StringComparison.Ordinal) || !line.EndsWith($" AS {name}", StringComparison.Ordinal)).Skip(1)
            .TakeWhile(line => !line.StartsWith("FROM ", StringComparison.Ordinal))]);
    }

    /// <summary>What is copied out of the checkout: source and destination.</summary>
    public IEnumerable<(string Source, string Destination)> Copies =>
        from words in Words("COPY")
        where !words[0].StartsWith("--from", StringComparison.Ordinal)
        from source in words[..^1]
        select (source, words[^1]);

    public IReadOnlyDictionary<string, string> Environment =>
        Words("ENV").SelectMany(words => words).Select(word => word.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1]);

    /// <summary>Debian's packages that are added to the base.</summary>
    public IReadOnlyList<string> Packages =>
        [.. Words("RUN").SelectMany(words => words.SkipWhile(word => word != "install").Skip(1).TakeWhile(word => word != "&&")).Where(word => !word.StartsWith('-'))];

    public string User => Words("USER").Single()[0];

    private IEnumerable<string[]> Words(string instruction) =>
        instructions.Where(line => line.StartsWith(instruction + " ", StringComparison.Ordinal)).Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..]);

    [GeneratedRegex(@"\\\n")]
    private static partial Regex Continued();

    [GeneratedRegex(@"^#.*\n", RegexOptions.Multiline)]
    private static partial Regex Comment();
}
