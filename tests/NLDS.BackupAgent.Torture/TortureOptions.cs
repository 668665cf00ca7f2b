using System.Globalization;

namespace NLDS.BackupAgent.Torture;

/// <summary>One run: the same seed makes the same decisions, if not the same moments.</summary>
internal sealed record TortureOptions
{
    public const string Usage = """
        Usage: NLDS.BackupAgent.Torture postgres|redis [--seed N] [--kills N] [--duration SECONDS] [--directory DIR] [--store directory|s3] [--agent PATH] [--spare agent]
          --seed       of all decisions; printed, so that a run can be repeated (1)
          --kills      how many rounds of trouble, most of them kills (50)
          --duration   ends before that many kills when so many seconds are over (3600)
          --directory  where servers, repository and logs lie; kept after a failure (a temporary directory)
          --store      a directory, or a bucket of a real S3 server (directory)
          --agent      a published agent; the one that was built with this program otherwise
          --spare      of postgres: agent, which is not killed then, so that its memory and handles show what leaks
        """;

    /// <summary>Which server is tortured.</summary>
    public string Of { get; init; } = "redis";

    public int Seed { get; init; } = 1;

    public int Kills { get; init; } = 50;

    public TimeSpan Duration { get; init; } = TimeSpan.FromHours(1);

    public string? Directory { get; init; }

    public bool UsesS3 { get; init; }

    public bool SparesAgent { get; init; }

    public string Agent { get; init; } = Path.Combine(AppContext.BaseDirectory, "NLDS.BackupAgent");

    /// <exception cref="FormatException">These are no options.</exception>
    public static TortureOptions Parse(ReadOnlySpan<string> words)
    {
        var options = words is ["postgres" or "redis", ..] ? new TortureOptions { Of = words[0] } : throw new FormatException("Say which server.");
        for (words = words[1..]; !words.IsEmpty; words = words[2..])
        {
            var value = words.Length > 1 ? words[1] : throw new FormatException($"{words[0]} has no value.");
            options = words[0] switch
            {
                "--seed" => options with { Seed = Number(value) },
                "--kills" => options with { Kills = Number(value) },
                "--duration" => options with { Duration = TimeSpan.FromSeconds(Number(value)) },
                "--directory" => options with { Directory = Path.GetFullPath(value) },
                "--store" when value is "directory" or "s3" => options with { UsesS3 = value == "s3" },
                "--agent" => options with { Agent = Path.GetFullPath(value) },
                "--spare" when value is "agent" => options with { SparesAgent = true },
                _ => throw new FormatException($"There is no option {words[0]}."),
            };
        }

        return options;
    }

    private static int Number(string text) => int.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);
}
