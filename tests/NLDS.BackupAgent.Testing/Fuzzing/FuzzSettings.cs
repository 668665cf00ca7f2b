using System.Globalization;

namespace NLDS.BackupAgent.Testing.Fuzzing;

/// <summary>How long and from where the fuzz tests go: seconds and always the same in a test run, as long as wanted by <c>FUZZ_ROUNDS</c> and <c>FUZZ_SEED</c>.</summary>
public static class FuzzSettings
{
    private const int DefaultSeed = 20261129;

    /// <summary>Of the whole run; each round has its own, made of this and its number.</summary>
    public static int Seed { get; } = Number("FUZZ_SEED") ?? DefaultSeed;

    /// <param name="usual">Of a parser in a test run.</param>
    public static int Rounds(int usual) => Number("FUZZ_ROUNDS") ?? usual;

    private static int? Number(string variable) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : null;
}
