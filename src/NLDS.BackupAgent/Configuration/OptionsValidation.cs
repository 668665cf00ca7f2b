using System.Collections;
using System.ComponentModel.DataAnnotations;

namespace NLDS.BackupAgent.Configuration;

/// <summary>Asks an options object, and every object in it, what is wrong with its values.</summary>
internal static class OptionsValidation
{
    public static IEnumerable<ConfigurationFault> Faults(object options, string path)
    {
        var results = new List<ValidationResult>();
        Validator.TryValidateObject(options, new ValidationContext(options), results, validateAllProperties: true);

        // The validator asks IValidatableObject only when no attribute objected; here every fault is wanted at once.
        if (results.Count > 0 && options is IValidatableObject validatable)
        {
            results.AddRange(validatable.Validate(new ValidationContext(options)).Where(result => !results.Contains(result)));
        }

        foreach (var result in results.DistinctBy(result => (result.ErrorMessage, string.Join(',', result.MemberNames))))
        {
            yield return ToFault(result, path);
        }

        foreach (var (name, property) in OptionShape.Keys(options.GetType()))
        {
            if (OptionShape.IsValue(property.PropertyType) || property.GetValue(options) is not { } inner)
            {
                continue;
            }

            foreach (var (child, childPath) in Children(inner, $"{path}:{name}"))
            {
                foreach (var fault in Faults(child, childPath))
                {
                    yield return fault;
                }
            }
        }
    }

    private static IEnumerable<(object Child, string Path)> Children(object inner, string path)
    {
        if (inner is not IEnumerable entries)
        {
            return [(inner, path)];
        }

        var named = inner is IDictionary dictionary
            ? dictionary.Keys.Cast<object>().Select(key => (Name: key, Value: dictionary[key]))
            : entries.Cast<object?>().Select((item, index) => (Name: (object)index, Value: item));
        return named.Where(entry => IsObject(entry.Value)).Select(entry => (entry.Value!, $"{path}:{entry.Name}"));
    }

    private static bool IsObject(object? value) => value is not null && !OptionShape.IsValue(value.GetType());

    // A message that already speaks of its key stands alone; otherwise the key goes before it.
    private static ConfigurationFault ToFault(ValidationResult result, string path)
    {
        var message = result.ErrorMessage ?? "is not valid.";
        var key = result.MemberNames.FirstOrDefault() is { Length: > 0 } member
            ? $"{path}:{member.Replace('.', ':')}"
            : path;
        return message.Contains(path + ":", StringComparison.OrdinalIgnoreCase) ? new ConfigurationFault("", message) : new ConfigurationFault(key, message);
    }
}
