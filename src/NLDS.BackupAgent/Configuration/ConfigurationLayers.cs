using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Configuration.Json;
using Microsoft.Extensions.FileProviders;

namespace NLDS.BackupAgent.Configuration;

/// <summary>
/// The layers of the configuration, each laid over the ones before: the file beside the binary, the one in the working directory, the one that
/// <c>--config</c> names, the environment, and the strategy document's names.
/// </summary>
internal static class ConfigurationLayers
{
    private const string FileName = "appsettings.json";

    public static List<ConfigurationLayer> Read(Surroundings around, string? configFile, IReadOnlySet<string> sections, List<ConfigurationFault> faults)
    {
        var layers = new List<ConfigurationLayer>();
        foreach (var path in new[] { around.BinaryDirectory, around.WorkingDirectory }.Distinct().Select(directory => Path.Combine(directory, FileName)))
        {
            if (File.Exists(path))
            {
                ReadFile(path, layers, faults);
            }
        }

        if (configFile is not null)
        {
            ReadFile(Path.GetFullPath(configFile, around.WorkingDirectory), layers, faults);
        }

        layers.Add(new ConfigurationLayer("the environment", IsFile: false, InMemory(around.Environment.Select(
            variable => KeyValuePair.Create(variable.Key.Replace("__", ":", StringComparison.Ordinal), (string?)variable.Value)))));
        layers.Add(new ConfigurationLayer("the environment", IsFile: false, InMemory(StrategyNames.Read(around.Environment, sections))));
        return layers;
    }

    public static IConfigurationRoot InMemory(IEnumerable<KeyValuePair<string, string?>> settings)
    {
        // Variables may differ in case alone; the last one counts, as with every other layer.
        var distinct = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        foreach (var (key, value) in settings)
        {
            distinct[key] = value;
        }

        return new ConfigurationBuilder().AddInMemoryCollection(distinct).Build();
    }

    private static void ReadFile(string path, List<ConfigurationLayer> layers, List<ConfigurationFault> faults)
    {
        if (!File.Exists(path))
        {
            faults.Add(new ConfigurationFault(path, "does not exist. Give --config the path of a JSON file."));
            return;
        }

        try
        {
            using var files = new PhysicalFileProvider(Path.GetDirectoryName(path)!, Microsoft.Extensions.FileProviders.Physical.ExclusionFilters.None);
            var source = new JsonConfigurationSource { FileProvider = files, Path = Path.GetFileName(path), Optional = false };
            layers.Add(new ConfigurationLayer(path, IsFile: true, new ConfigurationBuilder().Add(source).Build()));
        }
        catch (Exception unreadable) when (unreadable is InvalidDataException or IOException or UnauthorizedAccessException or FormatException)
        {
            faults.Add(new ConfigurationFault(path, $"cannot be read: {Reason(unreadable)} Write one JSON object."));
        }
    }

    /// <summary>The parser's own message quotes what it stumbled over, up to the end of the file: passwords are in there.</summary>
    private static string Reason(Exception unreadable) => unreadable switch
    {
        JsonException { LineNumber: { } line } json => string.Create(CultureInfo.InvariantCulture, $"line {line + 1} is not JSON, at its byte {json.BytePositionInLine + 1}."),
        { InnerException: { } inner } => Reason(inner),
        _ => unreadable.Message,
    };
}

/// <summary>One place that settings come from.</summary>
internal sealed record ConfigurationLayer(string Name, bool IsFile, IConfigurationRoot Settings);
