namespace NLDS.BackupAgent.Configuration;

/// <summary>Which keys hold secrets. Each of them can also be given as a file: <c>Password</c> by <c>PasswordFile</c>.</summary>
internal static class Secrets
{
    private static readonly string[] Endings = ["Password", "Secret", "Token", "AccessKey", "SecretKey"];

    public const string FileSuffix = "File";

    /// <summary>A bare <c>Key</c> is one (that of the encryption); <c>ClientKey</c> is not: TLS keys are always named by their file.</summary>
    public static bool IsSecret(string name) =>
        name.Equals("Key", StringComparison.OrdinalIgnoreCase) || Endings.Any(ending => name.EndsWith(ending, StringComparison.OrdinalIgnoreCase));

    /// <summary>The secret that a key such as <c>PasswordFile</c> stands for, or null.</summary>
    public static string? BehindFile(string name) =>
        name.EndsWith(FileSuffix, StringComparison.OrdinalIgnoreCase) && IsSecret(name[..^FileSuffix.Length]) ? name[..^FileSuffix.Length] : null;
}
