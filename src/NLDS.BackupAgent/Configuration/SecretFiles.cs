namespace NLDS.BackupAgent.Configuration;

/// <summary>
/// Reads the secrets that are given as files. The content takes the secret's place and the file's key is blanked, so that the features see only the secret.
/// </summary>
internal static class SecretFiles
{
    /// <summary>The keys to lay over <paramref name="configuration"/>.</summary>
    public static Dictionary<string, string?> Read(IConfiguration configuration, IEnumerable<string> sections, string workingDirectory, List<ConfigurationFault> faults)
    {
        var overlay = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        foreach (var (fileKey, path) in sections.SelectMany(section => configuration.GetSection(section).AsEnumerable()))
        {
            if (string.IsNullOrEmpty(path) || Secrets.BehindFile(ConfigurationPath.GetSectionKey(fileKey)) is null)
            {
                continue;
            }

            var secretKey = fileKey[..^Secrets.FileSuffix.Length];
            if (!string.IsNullOrEmpty(configuration[secretKey]))
            {
                faults.Add(new ConfigurationFault(secretKey, $"and {fileKey} are both set. Keep one of them."));
                continue;
            }

            try
            {
                overlay[secretKey] = WithoutLastNewline(File.ReadAllText(Path.Combine(workingDirectory, path)));
                overlay[fileKey] = null;
            }
            catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException or ArgumentException)
            {
                faults.Add(new ConfigurationFault(fileKey, $"names '{path}', which cannot be read: {unreadable.Message} Write the path of a file that holds the secret."));
            }
        }

        return overlay;
    }

    // Editors and `echo` end a file with a newline; any other white space may belong to the secret.
    private static string WithoutLastNewline(string content)
    {
        var text = content.EndsWith('\n') ? content[..^1] : content;
        return text.EndsWith('\r') ? text[..^1] : text;
    }
}
